import type { DiskPiece } from "../block/flat-disk.ts";

/** A disk that clients can ask for. */
export interface Export {
  /** Bytes; a multiple of 4,096: clients that think in larger blocks than 512 lose a ragged end. */
  readonly size: number;
  /** What a range is made of; `source` is missing where there are only zeros. */
  pieces(at: number, length: number): Iterable<DiskPiece>;
  /**
   * Fills a buffer.
   *
   * @returns nothing when it is done at once, because the page cache has it
   * @throws OperationalError, also later
   */
  read(at: number, into: Uint8Array): Promise<void> | undefined;
}
