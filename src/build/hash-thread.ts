import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

/** Read at once: long enough that the hash is all there is to wait for. */
const STEP = 1 << 20;

/** What the hashing thread is given: `size` bytes of an open file. */
export interface HashTask {
  readonly fd: number;
  readonly size: number;
}

if (parentPort === null) throw new Error("build/hash-thread runs in a worker thread only");
const { fd, size } = workerData as HashTask;
const hash = createHash("sha256");
const buffer = Buffer.allocUnsafe(STEP);
for (let done = 0; done < size; ) {
  const n = readSync(fd, buffer, 0, Math.min(STEP, size - done), done);
  if (n === 0) throw new Error(`it ends at byte ${done}, it had ${size}`);
  hash.update(n === STEP ? buffer : buffer.subarray(0, n));
  done += n;
}
parentPort.postMessage(hash.digest("hex"));
