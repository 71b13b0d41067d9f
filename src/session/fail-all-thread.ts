import { parentPort } from "node:worker_threads";
import { failAll } from "../fuse/fail-all.ts";

const port = parentPort;
if (port === null) throw new Error("session/fail-all-thread runs in a thread only");

port.once("message", (fd: number) => failAll(fd));
