import { createHash } from "node:crypto";
import { readSync } from "node:fs";

/** Read at once: what was read is still in the CPU's cache when it is hashed. 1 MiB takes a third longer (measured). */
const STEP = 128 << 10;
/** How long to wait for a file to grow before looking again. */
const WAIT_MS = 100;

/** Bytes of an open file to hash, which may still be growing. */
export interface HashTask {
  readonly fd: number;
  /** Where they begin. */
  readonly at: number;
  /** A cell, of shared memory for a thread: how many there are so far. */
  readonly limit: Float64Array;
  /** A cell, of shared memory for a thread: 1 when no more will come. To be notified when it or `limit` has changed. */
  readonly isWhole: Int32Array;
  /** A cell, told how many bytes are done. */
  readonly done: Float64Array | undefined;
}

/** @returns sha256, lowercase hex @throws Error when the file ends sooner */
export function hashFile({ fd, at, limit, isWhole, done: told }: HashTask): string {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(Atomics.load(isWhole, 0) === 1 ? Math.min(STEP, limit[0]) : STEP);
  for (let done = 0; ; ) {
    const isEnd = Atomics.load(isWhole, 0) === 1; // first: the limit that is read after it is the last one
    const there = limit[0] - done;
    if (there === 0 && isEnd) break;
    if (there < STEP && !isEnd) {
      Atomics.wait(isWhole, 0, 0, WAIT_MS);
      continue;
    }
    const n = readSync(fd, buffer, 0, Math.min(STEP, there), at + done);
    if (n === 0) throw new Error(`it ends at byte ${at + done}, it had ${at + limit[0]}`);
    hash.update(n === buffer.length ? buffer : buffer.subarray(0, n));
    done += n;
    if (told !== undefined) told[0] = done;
  }
  return hash.digest("hex");
}
