import { freemem } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { BlobFiles } from "../blob/blob-files.ts";
import { PROGRESS } from "../counters/prefetch-progress.ts";
import { Semaphore } from "../bytes/semaphore.ts";
import { RUN } from "./plan.ts";
import type { Rows } from "./rows.ts";

/** Bytes of one read. */
export const PIECE = 1 << 20;
/** With less memory than this available nothing more is read: it would push out what is in use. */
const MIN_FREE = 128 << 20;
const LOOK_AGAIN_MS = 500;
/** Reads of all images at once: each has a thread of libuv's, of which there are four, and a disk may keep it. */
const reads = new Semaphore(2);

/** Bounds of prefetching. */
export interface Limits {
  /** Bytes a second, 0: none. */
  readonly rate: number;
  /** Bytes in all. */
  readonly memory: number;
}

/**
 * Reads runs one after the other, so that the page cache has them, until all are read, a limit is reached or it is
 * aborted: at once, but for a read that is under way. The thread is free meanwhile. What cannot be read is passed over:
 * a program that reads it as a file gets the error.
 *
 * @param progress see counters/prefetch-progress
 * @throws AbortError
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one loop with four reasons to wait or end
export async function prefetch(
  runs: Rows,
  blobs: BlobFiles,
  limits: Limits,
  signal: AbortSignal,
  progress: Float64Array,
): Promise<void> {
  const buffer = new Uint8Array(PIECE);
  const begin = performance.now();
  const count = (cell: number) => progress[cell] ?? 0;
  const add = (cell: number, n: number) => {
    progress[cell] = count(cell) + n;
  };
  const bytesBefore = count(PROGRESS.BYTES);
  for (let run = 0; run < runs.length; run++) {
    const address = runs.get(run, RUN.ADDRESS);
    const length = runs.get(run, RUN.LENGTH);
    for (let at = 0; at < length; at += PIECE) {
      const wanted = Math.min(PIECE, length - at, limits.memory - count(PROGRESS.BYTES));
      if (wanted <= 0) return;
      while (freemem() < MIN_FREE) await sleep(LOOK_AGAIN_MS, undefined, { signal });
      const before = performance.now();
      const n = await reads.run(() =>
        blobs.readLater(runs.get(run, RUN.DEVICE), address + at, wanted, buffer, 0),
      );
      const now = performance.now();
      add(PROGRESS.REQUESTS, 1);
      add(PROGRESS.BUSY_MS, now - before);
      signal.throwIfAborted();
      if (n < 0) break;
      add(PROGRESS.BYTES, n);
      if (at + n >= length) add(PROGRESS.FILES, runs.get(run, RUN.FILES));
      const bytes = count(PROGRESS.BYTES) - bytesBefore;
      const due = limits.rate === 0 ? 0 : begin + (1000 * bytes) / limits.rate - now;
      if (due > 0) await sleep(due, undefined, { signal });
    }
  }
}
