/** How far prefetching an image is, in shared memory: doubles, one writer. Times are ms since 1970, 0: not yet. */
export const PROGRESS = {
  BYTES: 0,
  FILES: 1, //    of which something was read
  REQUESTS: 2, // reads of the tars
  BUSY_MS: 3, //  spent in them
  BEGIN: 4,
  END: 5,
  LENGTH: 6,
} as const;

/** @returns of a mount for which nothing is prefetched yet, or ever */
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

/** Of several images: begun with the first, ended with the last. */
export function sumProgress(all: readonly PrefetchProgress[]): PrefetchProgress {
  const sum = (value: (one: PrefetchProgress) => number) => all.reduce((total, one) => total + value(one), 0);
  const begun = all.map(({ begin }) => begin).filter((begin) => begin > 0);
  return {
    bytes: sum(({ bytes }) => bytes),
    files: sum(({ files }) => files),
    requests: sum(({ requests }) => requests),
    busyMs: sum(({ busyMs }) => busyMs),
    begin: begun.length === 0 ? 0 : Math.min(...begun),
    end: Math.max(0, ...all.map(({ end }) => end)),
    isRunning: all.some(({ isRunning }) => isRunning),
  };
}

export function progressOf(shared: SharedArrayBuffer): PrefetchProgress {
  const [bytes, files, requests, busyMs, begin, end] = new Float64Array(shared);
  return { bytes, files, requests, busyMs, begin, end, isRunning: begin > 0 && end === 0 };
}
