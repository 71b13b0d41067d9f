import type { Piece } from "../tar/entry.ts";
import type { BlobPiece, Tree } from "./tree.ts";

/** A sparse file as chunks of one size, each all data of one blob or all hole. */
export interface ChunkMap {
  /** log2 of the chunk size in bytes. */
  readonly bits: number;
  /** By chunk: block of its blob, HOLE without data. */
  readonly blocks: Float64Array;
  /** By chunk: the tree's number of its blob; a hole has that of the first chunk with data. */
  readonly blobs: Uint8Array;
}

const HOLE = -1;
/** The smallest chunk is a block. */
export const BLOCK_BITS = 9;
/** Tars are addressed in blocks of their own unit. */
export const BLOCK = 2 ** BLOCK_BITS;
/** The largest chunk that the format can say. */
export const MAX_BITS = BLOCK_BITS + 31;
/** 32 MiB of index: enough for 2 GiB in blocks of 512 bytes. A tar of a few bytes could ask for any number. */
export const MAX_CHUNKS = 1 << 22;

export const chunkCount = (size: number, bits: number): number => Math.ceil(size / 2 ** bits);

/** Whether chunks of so many bytes can say where a piece lies. */
const fits = ({ offset, length, dataAt }: Piece, size: number, chunk: number): boolean =>
  offset % chunk === 0 && dataAt % BLOCK === 0 && (length % chunk === 0 || offset + length === size);

/** The largest chunks that say a map exactly, as log2 of their bytes; below BLOCK_BITS when not even blocks do. */
function exactBits(pieces: readonly Piece[], size: number): number {
  let bits = MAX_BITS;
  for (const piece of pieces) while (bits >= BLOCK_BITS && !fits(piece, size, 2 ** bits)) bits--;
  return bits;
}

/** Whether chunks can say where the data of a sparse file lies, and not too many of them. */
export function hasChunkMap(pieces: readonly Piece[], size: number): boolean {
  const bits = exactBits(pieces, size);
  return bits >= BLOCK_BITS && chunkCount(size, bits) <= MAX_CHUNKS;
}

/**
 * The map of a sparse file, in the largest chunks that say it exactly; undefined when the file is no sparse one.
 * There must be such chunks.
 */
export function chunkMapOf(tree: Tree, inode: number): ChunkMap | undefined {
  const pieces = tree.pieces.get(inode);
  if (pieces === undefined) return undefined;
  const size = tree.size[inode];
  const bits = exactBits(pieces, size);
  const chunk = 2 ** bits;
  const blocks = new Float64Array(chunkCount(size, bits)).fill(HOLE);
  const blobs = new Uint8Array(blocks.length).fill(firstBlob(tree, inode, pieces));
  for (const { offset, length, dataAt, blob } of pieces) {
    const first = offset / chunk;
    for (let done = 0; done < length; done += chunk) blocks[first + done / chunk] = (dataAt + done) / BLOCK;
    blobs.fill(blob, first, first + chunkCount(length, bits));
  }
  return { bits, blocks, blobs };
}

/** The tree's numbers of the blobs that hold a file's data, in the order in which it needs them. */
export function blobsOf(tree: Tree, inode: number): Iterable<number> {
  const pieces = tree.pieces.get(inode) ?? [];
  return new Set([firstBlob(tree, inode, pieces), ...pieces.map(({ blob }) => blob)]);
}

/** A file that is nothing but holes has its layer's, too. */
const firstBlob = (tree: Tree, inode: number, pieces: readonly BlobPiece[]): number =>
  pieces.length > 0 ? pieces[0].blob : tree.blob[inode];
