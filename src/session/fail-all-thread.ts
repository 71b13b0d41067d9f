import { parentPort } from "node:worker_threads";
import { refuseAll } from "../fuse/refuse.ts";

const port = parentPort;
if (port === null) throw new Error("session/fail-all-thread runs in a thread only");

port.once("message", (fd: number) => refuseAll(fd));
