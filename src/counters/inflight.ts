/** What a thread is answering: a slot in shared memory with one writer, which is read at any moment. */
export const NOW = {
  OPCODE: 0, //      0: nothing
  UNIQUE: 1, //      low 32 bits
  UNIQUE_HIGH: 2,
  NODE: 3,
  SINCE: 4, //       ms since 1970
  CALLER: 5, //      thread that waits for the answer; 0: none that this process can see
  THREAD: 6, //      of the slot, as the kernel numbers it; 0: unknown
  FILE: 7, //        node of the regular file that was begun to be read last
} as const;
/** Two cache lines, which processors fetch together: no thread waits for another's slot. */
const LENGTH = 16;

export type Now = Float64Array;

/** @param threads slots to make */
export const newInflight = (threads: number): SharedArrayBuffer =>
  new SharedArrayBuffer(threads * LENGTH * 8);

/** The slot of thread `index`. */
export const nowOf = (shared: SharedArrayBuffer, index: number): Now =>
  new Float64Array(shared, index * LENGTH * 8, LENGTH);

export const slotsOf = (shared: SharedArrayBuffer): Now[] =>
  Array.from({ length: shared.byteLength / (LENGTH * 8) }, (_, index) => nowOf(shared, index));

/** A request that is being answered. */
export interface Inflight {
  readonly opcode: number;
  readonly unique: bigint;
  readonly node: number;
  /** ms since 1970. */
  readonly since: number;
  readonly caller: number;
  /** Who answers it. */
  readonly thread: number;
}

/** What threads are answering at this moment. */
export function inflight(shared: SharedArrayBuffer): Inflight[] {
  const all = new Float64Array(shared);
  const found: Inflight[] = [];
  for (let at = 0; at < all.length; at += LENGTH) {
    const opcode = all[at + NOW.OPCODE];
    if (opcode === 0) continue;
    const unique = (BigInt(all[at + NOW.UNIQUE_HIGH]) << 32n) | BigInt(all[at + NOW.UNIQUE]);
    const [node, since, caller, thread] = all.subarray(at + NOW.NODE, at + NOW.FILE);
    found.push({ opcode, unique, node, since, caller, thread });
  }
  return found;
}

/** A regular file that the kernel knew when some thread read it last; 0 when none did yet. */
export function lastFile(shared: SharedArrayBuffer): number {
  const all = new Float64Array(shared);
  for (let at = 0; at < all.length; at += LENGTH) if (all[at + NOW.FILE] !== 0) return all[at + NOW.FILE];
  return 0;
}

/** Number of the request that came last, to some thread. */
export function lastUnique(shared: SharedArrayBuffer): number {
  // Bit 63 of those that were sent again is no part of the number.
  const numbers = slotsOf(shared).map((now) => (now[NOW.UNIQUE_HIGH] % 2 ** 31) * 2 ** 32 + now[NOW.UNIQUE]);
  return Math.max(0, ...numbers);
}
