import type { Piece } from "../tar/entry.ts";
import type { Tree } from "./tree.ts";

/** A sparse file as chunks of one size, each all data or all hole. */
export interface ChunkMap {
  /** log2 of the chunk size in bytes. */
  readonly bits: number;
  /** By chunk: block of the blob, HOLE without data. */
  readonly blocks: Float64Array;
}

const HOLE = -1;
export const BLOCK_BITS = 9;
/** The largest chunk that is tried: a larger one saves a few bytes of a file of gigabytes. */
const MAX_BITS = 24;

/** Whether chunks of `2 ** bits` bytes can say where the data of a sparse file lies. */
export function isExact(pieces: readonly Piece[], size: number, bits: number): boolean {
  const chunk = 2 ** bits;
  return pieces.every(
    ({ offset, length, dataAt }) =>
      length === 0 ||
      (offset % chunk === 0 &&
        dataAt % 2 ** BLOCK_BITS === 0 &&
        (length % chunk === 0 || offset + length === size)),
  );
}

/**
 * The map of a sparse file, in the largest chunks that say it exactly; undefined when the file is no sparse one.
 * Blocks must be able to say it.
 */
export function chunkMapOf(tree: Tree, inode: number): ChunkMap | undefined {
  const pieces = tree.pieces.get(inode);
  if (pieces === undefined) return undefined;
  const size = tree.size[inode];
  let bits = MAX_BITS;
  while (bits > BLOCK_BITS && !isExact(pieces, size, bits)) bits--;
  const chunk = 2 ** bits;
  const blocks = new Float64Array(Math.ceil(size / chunk)).fill(HOLE);
  for (const { offset, length, dataAt } of pieces)
    for (let done = 0; done < length; done += chunk)
      blocks[(offset + done) / chunk] = (dataAt + done) / 2 ** BLOCK_BITS;
  return { bits, blocks };
}
