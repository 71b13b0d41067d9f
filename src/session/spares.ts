/**
 * Most workers beyond `--fuse-threads`, which come when all are blocked in READs and leave when they are not needed.
 * Each takes about 10 MB. The kernel hands over at most as many read-aheads at once (fuse/init, MAX_BACKGROUND), so
 * that files that are read through the page cache never block the last worker.
 */
export const MAX_SPARES = 64;

/** Most workers that there can be. @param limit without spare ones */
export const mostWorkers = (limit: number): number => limit + MAX_SPARES;

/** Where a worker counts: a slot of its own, but for spare ones, which share one and take turns. */
export const slotOfWorker = (index: number, limit: number): number => Math.min(index, limit);

/** Slots of what workers count; the pusher's follows. */
export const workerSlots = (limit: number): number => limit + 1;
