import { parentPort, workerData } from "node:worker_threads";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { hashDisk } from "./hash-disk.ts";

if (parentPort === null) throw new Error("block/hash-disk-thread runs in a worker thread only");
await loadSystemCalls();
hashDisk(workerData);
