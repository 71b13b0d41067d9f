import { ENODATA, ENOENT, ENOSYS, ERANGE } from "../bytes/errno.ts";
import { OP_COUNT } from "../vfs/opcodes.ts";

/**
 * Counts of one thread, in shared memory: one writer a row, so no locks and no atomics; a reader may be a
 * few operations behind. Doubles, because they count to 2^53 and are stored without allocation. Requests by opcode come
 * first, these behind them, then histograms.
 */
export const COUNT = {
  ERRORS: OP_COUNT, //           answers with an errno other than the ones that say "ask no more" or "not there"
  READ_BYTES: OP_COUNT + 1,
  UNEXPECTED: OP_COUNT + 2, //   exceptions in a handler, answered EIO
  PUSHED_FILES: OP_COUNT + 3,
  PUSHED_BYTES: OP_COUNT + 4,
  PUSH_REFUSED: OP_COUNT + 5, // the kernel would not take it
  LOST_BLOBS: OP_COUNT + 6, //   blobs whose file became shorter, unreadable or another one
  CORRUPT_BLOCKS: OP_COUNT + 7, // that are not what a hash tree says, each counted once
} as const;

/** Errors as COUNT.ERRORS counts them, by opcode. */
const ERRORS_AT = OP_COUNT + 8;

/**
 * Upper bounds of the time from a request's arrival to its answer, µs, inclusive; one more bucket is for what is longer.
 * They hold the bounds that nydusd and nydus-snapshotter report, so that theirs can be made of these.
 */
export const LATENCY_BOUNDS: readonly number[] = [
  20, 50, 100, 200, 500, 1000, 2000, 4000, 20_000, 50_000, 100_000, 500_000, 1_000_000, 2_000_000,
];
/** By opcode: buckets, then the sum in µs. */
const LATENCY_AT = ERRORS_AT + OP_COUNT;
const LATENCY_STRIDE = LATENCY_BOUNDS.length + 2;
const LATENCY_SUM = LATENCY_BOUNDS.length + 1;

/**
 * Bytes of answers to READ. There is a bucket for what lies below a bound and one for what is just it: nydusd counts
 * "from 4 KiB on", Prometheus "up to 4 KiB", and most reads are just that.
 */
export const SIZE_BOUNDS: readonly number[] = [1, 4, 16, 64, 128, 512, 1024].map((kib) => kib * 1024);
const SIZES_AT = LATENCY_AT + OP_COUNT * LATENCY_STRIDE;
const SIZE_BUCKETS = 2 * SIZE_BOUNDS.length + 1;

const LENGTH = SIZES_AT + SIZE_BUCKETS;

export type Counters = Float64Array;

/** @param threads rows to make */
export const newCounters = (threads: number): SharedArrayBuffer =>
  new SharedArrayBuffer(threads * LENGTH * 8);

/** The row of thread `index`. */
export const countersOf = (shared: SharedArrayBuffer, index: number): Counters =>
  new Float64Array(shared, index * LENGTH * 8, LENGTH);

/** What all threads counted, of all that is given: columns as in the row of a thread. */
export function sumOf(all: Iterable<SharedArrayBuffer>): Counters {
  const sum = new Float64Array(LENGTH);
  for (const shared of all) addTo(sum, shared);
  return sum;
}

/** Adds what all threads counted. */
export function addTo(sum: Counters, shared: SharedArrayBuffer): void {
  const counters = new Float64Array(shared);
  for (let at = 0; at < counters.length; at += LENGTH)
    for (let i = 0; i < LENGTH; i++) sum[i] += counters[at + i];
}

/** Moves what one thread counted to where it is counted for good. */
export function pour(from: Counters, to: Counters): void {
  for (let i = 0; i < LENGTH; i++) {
    if (from[i] === 0) continue;
    to[i] += from[i];
    from[i] = 0;
  }
}

/** Counts that are not zero, with their columns in a row. */
export const countsIn = (sum: Counters): (readonly [at: number, count: number])[] =>
  [...sum.entries()].filter(([, count]) => count !== 0);

/** Puts counts of another process into the row of a thread that counts nothing. */
export function putCounts(counters: Counters, counts: Iterable<readonly [at: number, count: number]>): void {
  for (const [at, count] of counts) if (at >= 0 && at < LENGTH) counters[at] = count;
}

/** @param result of a request, or -errno; what "there is none" and "ask no more" look like is no error */
export const isError = (result: number): boolean =>
  result < 0 && result !== -ENOENT && result !== -ENODATA && result !== -ENOSYS && result !== -ERANGE;

/**
 * Counts an answer.
 *
 * @param result of the request, or -errno
 * @param us how long it took
 */
export function countAnswer(counters: Counters, opcode: number, result: number, us: number): void {
  if (isError(result)) {
    counters[COUNT.ERRORS]++;
    counters[ERRORS_AT + opcode]++;
  }
  const at = LATENCY_AT + opcode * LATENCY_STRIDE;
  let bucket = 0;
  while (bucket < LATENCY_BOUNDS.length && us > LATENCY_BOUNDS[bucket]) bucket++;
  counters[at + bucket]++;
  counters[at + LATENCY_SUM] += us;
}

/** Counts what a READ was answered. */
export function countRead(counters: Counters, bytes: number): void {
  counters[COUNT.READ_BYTES] += bytes;
  let bound = 0;
  while (bound < SIZE_BOUNDS.length && bytes > SIZE_BOUNDS[bound]) bound++;
  counters[SIZES_AT + 2 * bound + (bytes === SIZE_BOUNDS[bound] ? 1 : 0)]++;
}

/** Class of an answer to READ as nydusd has them: from a bound on. */
export function sizeClass(bytes: number): number {
  let size = 0;
  while (size < SIZE_BOUNDS.length && bytes >= SIZE_BOUNDS[size]) size++;
  return size;
}

/** All there is to know of one opcode. */
export interface OpcodeTotals {
  readonly opcode: number;
  readonly requests: number;
  readonly errors: number;
  /** Answers by bucket of LATENCY_BOUNDS, and one for the rest. */
  readonly latencies: readonly number[];
  /** µs. */
  readonly latencySum: number;
}

/** Opcodes that were asked for at least once. @param sum see `sumOf` */
export function opcodeTotals(sum: Counters): OpcodeTotals[] {
  const all: OpcodeTotals[] = [];
  for (let opcode = 0; opcode < OP_COUNT; opcode++) {
    const requests = sum[opcode];
    if (requests === 0) continue;
    const at = LATENCY_AT + opcode * LATENCY_STRIDE;
    all.push({
      opcode,
      requests,
      errors: sum[ERRORS_AT + opcode],
      latencies: [...sum.subarray(at, at + LATENCY_SUM)],
      latencySum: sum[at + LATENCY_SUM],
    });
  }
  return all;
}

/** Answers to READ: below, at and between SIZE_BOUNDS, see there. */
export const readSizes = (sum: Counters): number[] => [...sum.subarray(SIZES_AT, SIZES_AT + SIZE_BUCKETS)];
