/**
 * Counts of one thread, in shared memory: one writer a slot, so no locks and no atomics; a reader may be a
 * few operations behind. Doubles, because they count to 2^53 and are stored without allocation. Requests by opcode are at
 * 0…63, these behind them.
 */
export const COUNT = {
  ERRORS: 64, //         answers with an errno other than the ones that say "ask no more" or "not there"
  READ_BYTES: 65,
  UNEXPECTED: 66, //     exceptions in a handler, answered EIO
  PUSHED_FILES: 67,
  PUSHED_BYTES: 68,
  PUSH_REFUSED: 69, //   the kernel would not take it
  LOST_BLOBS: 70, //     blobs whose file became shorter, unreadable or another one
} as const;
const LENGTH = 72;

export type Counters = Float64Array;

/** @param threads slots to make */
export const newCounters = (threads: number): SharedArrayBuffer =>
  new SharedArrayBuffer(threads * LENGTH * 8);

/** The slot of thread `index`. */
export const countersOf = (shared: SharedArrayBuffer, index: number): Counters =>
  new Float64Array(shared, index * LENGTH * 8, LENGTH);

/** Sum over all threads of one count. */
export function total(shared: SharedArrayBuffer, count: number): number {
  const all = new Float64Array(shared);
  let sum = 0;
  for (let at = count; at < all.length; at += LENGTH) sum += all[at];
  return sum;
}
