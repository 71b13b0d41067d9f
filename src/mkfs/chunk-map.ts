import { fit16 } from "../bytes/fit.ts";
import { CHUNK_BITS } from "../erofs/chunk.ts";
import { NULL_BLOCK } from "../erofs/inode.ts";
import type { Piece } from "../tar/entry.ts";
import type { BlobPiece, Tree } from "./tree.ts";

/** A sparse file as chunks of one size, each all data of one blob or all hole. */
export interface ChunkMap {
  /** log2 of the chunk size in bytes. */
  readonly bits: number;
  /** By chunk: block of its blob, HOLE without data. */
  readonly blocks: Float64Array;
  /** By chunk: the tree's number of its blob; a hole has that of the first chunk with data. */
  readonly blobs: Uint16Array;
}

const HOLE = -1;
/** The smallest chunk is a block. */
export const BLOCK_BITS = 9;
/** Tars are addressed in blocks of their own unit. */
export const BLOCK = 2 ** BLOCK_BITS;
/** The largest chunk that the format can say. */
export const MAX_BITS = BLOCK_BITS + CHUNK_BITS;
/** 32 MiB of index: enough for 2 GiB in blocks of 512 bytes. A tar of a few bytes could ask for any number. */
export const MAX_CHUNKS = 1 << 22;

/** The largest blob that nydusd takes, bytes. Source: nydus rafs/src/metadata/layout/v6.rs, BLOB_MAX_SIZE_COMPRESSED. */
const MAX_NYDUSD_BLOB = 2 ** 40;

/** Whether a block needs more than 32 bits: all ones of them say "hole". */
export const isWideBlock = (block: number): boolean => block >= NULL_BLOCK;

/** The smallest chunk that holds a file whose data is one run, as log2 of its bytes, or the largest that there is. */
export function runBits(size: number, chunkSize: number): number {
  let bits = Math.log2(chunkSize);
  while (bits < MAX_BITS && 2 ** bits < size) bits++;
  return bits;
}

/**
 * How many bytes of a file whose data is one run an entry of its index stands for. The kernel goes by the chunk that the
 * inode names, and looks at one entry in each; nydusd by the chunk size of the image, in which there are more. What lies
 * in a blob that nydusd does not take needs no entries for it.
 */
export const runStride = (bits: number, chunkSize: number, blobSize: number): number =>
  isForNydusd(blobSize) ? chunkSize : 2 ** bits;

/** Whether nydusd takes a blob of so many bytes. */
export const isForNydusd = (blobSize: number): boolean => blobSize <= MAX_NYDUSD_BLOB;

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

/** Entries of the index of a sparse file, 0 when it is none. There must be such chunks. */
export function mapEntries(tree: Tree, inode: number): number {
  const pieces = tree.pieces.get(inode);
  return pieces === undefined ? 0 : sparseEntries(pieces, tree.size[inode]);
}

/** The same of pieces. */
export const sparseEntries = (pieces: readonly Piece[], size: number): number =>
  chunkCount(size, exactBits(pieces, size));

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
  const blobs = new Uint16Array(blocks.length).fill(fit16(firstBlob(tree, inode, pieces)));
  for (const { offset, length, dataAt, blob } of pieces) {
    const first = offset / chunk;
    for (let done = 0; done < length; done += chunk) blocks[first + done / chunk] = (dataAt + done) / BLOCK;
    blobs.fill(fit16(blob), first, first + chunkCount(length, bits));
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
