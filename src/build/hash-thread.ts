import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

/** Read at once: long enough that the hash is all there is to wait for. */
const STEP = 1 << 20;

/** What the hashing thread is given: `size` bytes of an open file, from `at` on. */
export interface HashTask {
  readonly fd: number;
  readonly at: number;
  readonly size: number;
  /** A cell in shared memory, told how many bytes are done. */
  readonly done: Float64Array | undefined;
}

if (parentPort === null) throw new Error("build/hash-thread runs in a worker thread only");
const { fd, at, size, done: told } = workerData as HashTask;
const hash = createHash("sha256");
const buffer = Buffer.allocUnsafe(STEP);
for (let done = 0; done < size; ) {
  const n = readSync(fd, buffer, 0, Math.min(STEP, size - done), at + done);
  if (n === 0) throw new Error(`it ends at byte ${at + done}, it had ${at + size}`);
  hash.update(n === STEP ? buffer : buffer.subarray(0, n));
  done += n;
  if (told !== undefined) told[0] = done;
}
parentPort.postMessage(hash.digest("hex"));
