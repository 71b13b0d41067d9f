/** How far warming an image is, in shared memory: doubles, one writer. Times are ms since 1970, 0: not yet. */
export const PROGRESS = {
  BYTES: 0,
  FILES: 1, //    of which something was read
  REQUESTS: 2, // reads of the tars
  BUSY_MS: 3, //  spent in them
  BEGIN: 4,
  END: 5,
  LENGTH: 6,
} as const;

/** @returns of a mount for which nothing is warmed yet, or ever */
export const newProgress = (): SharedArrayBuffer => new SharedArrayBuffer(8 * PROGRESS.LENGTH);

export interface PrefetchProgress {
  readonly bytes: number;
  readonly files: number;
  readonly requests: number;
  readonly busyMs: number;
  readonly begin: number;
  readonly end: number;
  readonly isRunning: boolean;
}

export function progressOf(shared: SharedArrayBuffer): PrefetchProgress {
  const [bytes, files, requests, busyMs, begin, end] = new Float64Array(shared);
  return { bytes, files, requests, busyMs, begin, end, isRunning: begin > 0 && end === 0 };
}
