/**
 * The small files of a file system in the order in which their data lies on disk, by
 * rank, from 0. A program that reads many of them one after the other mostly goes through them in this order.
 */
export interface DataOrder {
  readonly count: number;
  nodeAt(rank: number): number;
  sizeAt(rank: number): number;
  /** Bytes from the data of `from` to the data of `rank`; both must lie in one run. */
  distance(from: number, rank: number): number;
  /** Where the ranks end whose data can be read together with that of `from`: near each other, in `limit` bytes. */
  runEnd(from: number, last: number, limit: number): number;
  /** Reads the data of ranks `from…end - 1` with all that lies between, to `out[at…]`; bytes or -errno. */
  readRun(from: number, end: number, out: Uint8Array, at: number): number;
}

/** Files up to this many bytes; larger ones are read ahead by the kernel well enough. */
export const SMALL_FILE = 128 * 1024;

/** Ranks by node, plus one; 0 says "not a small file". Filled by the thread that orders, read by all. */
export type RankTable = Int32Array;
