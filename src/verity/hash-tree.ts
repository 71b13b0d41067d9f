/** What dm-verity calls format 1: a digest is of salt and block. @see https://docs.kernel.org/admin-guide/device-mapper/verity.html */
export const DIGEST_SIZE = 32;
export const HASH_BLOCK = 4096;
/** Digests of a hash block. */
export const FANOUT = HASH_BLOCK / DIGEST_SIZE;

/** What dm-verity takes as a data block: up to a page, the longest of which has 64 KiB. */
const MIN_BLOCK = 512;
const MAX_BLOCK = 65_536;

export const isBlockSize = (bytes: number): boolean =>
  bytes >= MIN_BLOCK && bytes <= MAX_BLOCK && (bytes & (bytes - 1)) === 0;

/** A level of the tree, in hash blocks. */
export interface Level {
  /** Counted from the tree's beginning. */
  readonly at: number;
  readonly blocks: number;
}

/**
 * Where the levels of a hash tree lie: the topmost first, as dm-verity and cryptsetup have them. Level 0 holds digests of
 * data, the last one is a single block; over one data block there is no tree, its digest is the root.
 *
 * @param dataBlocks at least 1
 */
export function levelsOf(dataBlocks: number): readonly Level[] {
  const counts: number[] = [];
  for (let count = dataBlocks; count > 1; ) {
    count = Math.ceil(count / FANOUT);
    counts.push(count);
  }
  const levels: Level[] = [];
  let at = 0;
  for (const blocks of counts.reverse()) {
    levels.push({ at, blocks });
    at += blocks;
  }
  return levels.reverse();
}

/** Bytes of a tree. */
export const treeSize = (dataBlocks: number): number =>
  levelsOf(dataBlocks).reduce((sum, { blocks }) => sum + blocks, 0) * HASH_BLOCK;

/** Bytes of salt that a superblock has room for. */
export const MAX_SALT = 256;

/** What a tree is made of besides the data. */
export interface VerityParameters {
  /** Bytes of a data block. */
  readonly dataBlock: number;
  readonly dataBlocks: number;
  readonly salt: Uint8Array;
}
