import { parentPort, workerData } from "node:worker_threads";
import { hashFile } from "./hash-file.ts";

if (parentPort === null) throw new Error("mkfs/hash-thread runs in a worker thread only");
parentPort.postMessage(hashFile(workerData));
