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
const BLOCK_BITS = 9;
/** The largest chunk that the format can say. */
const MAX_BITS = BLOCK_BITS + 31;
/** 32 MiB of index: enough for 2 GiB in blocks of 512 bytes. A tar of a few bytes could ask for any number. */
const MAX_CHUNKS = 1 << 22;

/** Whether chunks of `2 ** bits` bytes can say where the data of a sparse file lies. */
function isExact(pieces: readonly Piece[], size: number, bits: number): boolean {
  const chunk = 2 ** bits;
  return pieces.every(
    ({ offset, length, dataAt }) =>
      length === 0 ||
      (offset % chunk === 0 &&
        dataAt % 2 ** BLOCK_BITS === 0 &&
        (length % chunk === 0 || offset + length === size)),
  );
}

/** The largest chunks that say a map exactly, as log2 of their bytes; below BLOCK_BITS when not even blocks do. */
function bitsOf(pieces: readonly Piece[], size: number): number {
  let bits = MAX_BITS;
  while (bits >= BLOCK_BITS && !isExact(pieces, size, bits)) bits--;
  return bits;
}

/** What keeps a sparse file from being mapped by chunks; undefined when nothing does. */
export function mapProblem(pieces: readonly Piece[], size: number): string | undefined {
  const bits = bitsOf(pieces, size);
  if (bits < BLOCK_BITS) return "a sparse file whose pieces do not lie in blocks of 512 bytes";
  const chunks = Math.ceil(size / 2 ** bits);
  return chunks > MAX_CHUNKS
    ? `a sparse file of ${size} bytes whose map takes ${chunks} chunks, want at most ${MAX_CHUNKS}`
    : undefined;
}

/**
 * The map of a sparse file, in the largest chunks that say it exactly; undefined when the file is no sparse one.
 * It must have no problem.
 */
export function chunkMapOf(tree: Tree, inode: number): ChunkMap | undefined {
  const pieces = tree.pieces.get(inode);
  if (pieces === undefined) return undefined;
  const size = tree.size[inode];
  const bits = bitsOf(pieces, size);
  const chunk = 2 ** bits;
  const blocks = new Float64Array(Math.ceil(size / chunk)).fill(HOLE);
  for (const { offset, length, dataAt } of pieces)
    for (let done = 0; done < length; done += chunk)
      blocks[(offset + done) / chunk] = (dataAt + done) / 2 ** BLOCK_BITS;
  return { bits, blocks };
}
