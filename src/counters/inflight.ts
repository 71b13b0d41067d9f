/** The inflight table: what each thread is answering, a row in shared memory with one writer, read at any moment. */
export const INFLIGHT = {
  OPCODE: 0, //      0: nothing
  UNIQUE: 1, //      low 32 bits
  UNIQUE_HIGH: 2,
  NODE: 3,
  SINCE: 4, //       ms since 1970
  CALLER: 5, //      thread that waits for the answer; 0: none that this process can see
  THREAD: 6, //      of the row, as the kernel numbers it; 0: unknown
  FILE: 7, //        node of the regular file that was begun to be read last
} as const;
/** Two cache lines, which processors fetch together: no thread waits for another's row. */
const LENGTH = 16;

export type InflightRow = Float64Array;

/** @param threads rows to make */
export const newInflight = (threads: number): SharedArrayBuffer =>
  new SharedArrayBuffer(threads * LENGTH * 8);

/** The row of thread `index`. */
export const inflightRow = (shared: SharedArrayBuffer, index: number): InflightRow =>
  new Float64Array(shared, index * LENGTH * 8, LENGTH);

export const inflightRows = (shared: SharedArrayBuffer): InflightRow[] =>
  Array.from({ length: shared.byteLength / (LENGTH * 8) }, (_, index) => inflightRow(shared, index));

/** A request that is being answered. */
export interface Inflight {
  readonly opcode: number;
  readonly unique: bigint;
  readonly node: number;
  /** ms since 1970. */
  readonly since: number;
  readonly caller: number;
  /** The worker that answers it. */
  readonly thread: number;
}

/** What threads are answering at this moment. */
export function inflight(shared: SharedArrayBuffer): Inflight[] {
  const all = new Float64Array(shared);
  const found: Inflight[] = [];
  for (let at = 0; at < all.length; at += LENGTH) {
    const opcode = all[at + INFLIGHT.OPCODE];
    if (opcode === 0) continue;
    const unique = (BigInt(all[at + INFLIGHT.UNIQUE_HIGH]) << 32n) | BigInt(all[at + INFLIGHT.UNIQUE]);
    const [node, since, caller, thread] = all.subarray(at + INFLIGHT.NODE, at + INFLIGHT.FILE);
    found.push({ opcode, unique, node, since, caller, thread });
  }
  return found;
}

/** A regular file that the kernel knew when some thread read it last; 0 when none did yet. */
export function lastFile(shared: SharedArrayBuffer): number {
  const all = new Float64Array(shared);
  for (let at = 0; at < all.length; at += LENGTH)
    if (all[at + INFLIGHT.FILE] !== 0) return all[at + INFLIGHT.FILE];
  return 0;
}

/** Number of the request that came last, to some thread. */
export function lastUnique(shared: SharedArrayBuffer): number {
  // Bit 63 of those that were sent again is no part of the number.
  const numbers = inflightRows(shared).map(
    (row) => (row[INFLIGHT.UNIQUE_HIGH] % 2 ** 31) * 2 ** 32 + row[INFLIGHT.UNIQUE],
  );
  return Math.max(0, ...numbers);
}
