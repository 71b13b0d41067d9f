import { createHash } from "node:crypto";
import { read } from "node:fs";
import { promisify } from "node:util";
import { parentPort, workerData } from "node:worker_threads";

/** Read at once: long enough that the hash is all there is to wait for. */
const STEP = 1 << 20;
/** How long to wait for a file to grow before looking again. */
const WAIT_MS = 100;

/** What the hashing thread is given: bytes of an open file, which may still be growing. */
export interface HashTask {
  readonly fd: number;
  /** Where they begin. */
  readonly at: number;
  /** A cell in shared memory: how many there are so far. */
  readonly limit: Float64Array;
  /** A cell in shared memory: 1 when no more will come. To be notified when it or `limit` has changed. */
  readonly isWhole: Int32Array;
  /** A cell in shared memory, told how many bytes are done. */
  readonly done: Float64Array | undefined;
}

if (parentPort === null) throw new Error("build/hash-thread runs in a worker thread only");
const { fd, at, limit, isWhole, done: told } = workerData as HashTask;
const readAt = promisify(read);

/** Waits until there is a step of bytes behind `done`, or the rest. @returns its length, 0 at the end */
function awaitStep(done: number): number {
  for (;;) {
    const isEnd = Atomics.load(isWhole, 0) === 1; // first: the limit that is read after it is the last one
    const there = limit[0] - done;
    if (there >= STEP || isEnd) return Math.min(there, STEP);
    Atomics.wait(isWhole, 0, 0, WAIT_MS);
  }
}

/** Fills a buffer. @returns bytes of it that are filled */
async function fill(buffer: Buffer, done: number): Promise<number> {
  const length = awaitStep(done);
  for (let got = 0; got < length; ) {
    const { bytesRead } = await readAt(fd, buffer, got, length - got, at + done + got);
    if (bytesRead === 0) throw new Error(`it ends at byte ${at + done + got}, it had ${at + limit[0]}`);
    got += bytesRead;
  }
  return length;
}

/** While one buffer is hashed, another thread of Node's reads into the other. */
const hash = createHash("sha256");
let [current, next] = [Buffer.allocUnsafe(STEP), Buffer.allocUnsafe(STEP)];
let filling = fill(current, 0);
for (let done = 0; ; ) {
  const length = await filling;
  if (length === 0) break;
  done += length;
  filling = fill(next, done);
  hash.update(length === STEP ? current : current.subarray(0, length));
  [current, next] = [next, current];
  if (told !== undefined) told[0] = done;
}
parentPort.postMessage(hash.digest("hex"));
