/**
 * Most workers beyond `--fuse-threads`. They are started when all workers are blocked in READs and leave when they are
 * not needed any more. Each takes about 10 MB. The kernel hands over at most as many read-aheads at once (fuse/init,
 * MAX_BACKGROUND), so that files that are read through the page cache never block the last worker.
 */
export const MAX_OVERFLOW = 64;

/** Most workers that there can be. @param limit without overflow workers */
export const maxWorkers = (limit: number): number => limit + MAX_OVERFLOW;

/** Where a worker counts: a row of its own, but for overflow workers, which share one and take turns. */
export const counterRowOf = (index: number, limit: number): number => Math.min(index, limit);

/** Rows of what workers count; the readahead thread's follows. */
export const counterRows = (limit: number): number => limit + 1;
