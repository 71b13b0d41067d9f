import type { DiskExtent } from "../block/served-disk.ts";

/** A disk that clients can ask for. */
export interface Export {
  /** Bytes; a multiple of 4,096: clients that think in larger blocks than 512 lose a ragged end. */
  readonly size: number;
  /**
   * Where a range has data and where only zeros, in blocks that clients are told of.
   *
   * @param most pieces of the disk that are looked at: it may end before the range does; undefined: never
   */
  extents(at: number, length: number, most?: number): Iterable<DiskExtent>;
  /**
   * Fills a buffer.
   *
   * @returns nothing when it is done at once, because the page cache has it
   * @throws OperationalError, also later
   */
  read(at: number, into: Uint8Array): Promise<void> | undefined;
}
