import { elementAt } from "../bytes/element-at.ts";
import { BlockDigest } from "./block-digest.ts";
import { DIGEST_SIZE, FANOUT, HASH_BLOCK, type Level, levelsOf, type VerityParameters } from "./hash-tree.ts";

/** A disk's hash tree, and which of its blocks were held to it; survives a structured clone, whose threads share the bits. */
export interface VerityTree {
  readonly parameters: VerityParameters;
  readonly root: Uint8Array;
  /** Byte of its file where the tree begins. */
  readonly at: number;
  /** Of the file that it is in, open to all threads; undefined: it is in the disk. */
  readonly fd: number | undefined;
  /** A bit a data block: it was right, or it was wrong, when it was looked at first. */
  readonly right: SharedArrayBuffer;
  readonly wrong: SharedArrayBuffer;
}

/**
 * @param at byte of its file where the tree begins
 * @param fd of that file, when it is not the disk
 */
export function newVerityTree(
  parameters: VerityParameters,
  root: Uint8Array,
  at: number,
  fd?: number,
): VerityTree {
  // Untouched pages of it cost no memory.
  const bits = () => new SharedArrayBuffer(4 * Math.ceil(parameters.dataBlocks / 32));
  return { parameters, root, at, fd, right: bits(), wrong: bits() };
}

/** Hash blocks that one thread keeps: 256 KiB, which vouch for 4 MiB of data in blocks of 512 bytes. */
const KEPT = 64;

/** Reads bytes of the file that the tree is in. @throws when they are not there */
export type ReadDisk = (at: number, into: Uint8Array, to: number, length: number) => void;

/**
 * Holds data blocks of a disk to its hash tree, each once, whichever thread comes first. Hash blocks are read when they are wanted,
 * held to the one above, and kept: a small part of the tree is ever in memory.
 */
export class BlockChecker {
  readonly blockSize: number;
  private readonly tree: VerityTree;
  private readonly read: ReadDisk;
  private readonly levels: readonly Level[];
  private readonly right: Int32Array;
  private readonly wrong: Int32Array;
  private readonly leaf: BlockDigest;
  private readonly above: BlockDigest;
  private readonly kept = new Uint8Array(KEPT * HASH_BLOCK);
  /** Of each kept block: its number in the tree. */
  private readonly numbers = new Float64Array(KEPT).fill(-1);
  /** By level: the digest that was asked for there. */
  private readonly digests: Uint8Array;
  /** Number in the tree of a hash block that is not what the one above says. */
  private badHash = -1;

  constructor(tree: VerityTree, read: ReadDisk) {
    const { dataBlock, dataBlocks, salt } = tree.parameters;
    this.tree = tree;
    this.read = read;
    this.blockSize = dataBlock;
    this.levels = levelsOf(dataBlocks);
    this.right = new Int32Array(tree.right);
    this.wrong = new Int32Array(tree.wrong);
    this.leaf = new BlockDigest(salt, dataBlock);
    this.above = new BlockDigest(salt, HASH_BLOCK);
    this.digests = new Uint8Array((this.levels.length + 1) * DIGEST_SIZE);
  }

  /** Whether a block was right when it was read first. */
  isKnown(block: number): boolean {
    // An array of 2^32 bits or more has no index that a shift could make.
    return ((this.right[Math.floor(block / 32)] ?? 0) & (1 << (block % 32))) !== 0;
  }

  /**
   * @param bytes of the whole block
   * @returns whether they are what the tree says
   * @throws what reading the tree throws
   */
  isRight(block: number, bytes: Uint8Array): boolean {
    this.badHash = -1;
    if (block >= this.tree.parameters.dataBlocks || !this.find(0, block)) return false;
    if (!isSame(this.leaf.of(bytes), this.digests, 0)) return false;
    Atomics.or(this.right, Math.floor(block / 32), 1 << (block % 32));
    return true;
  }

  /** Notes that a block is wrong. @returns whether nobody knew */
  isNews(block: number): boolean {
    const bit = 1 << (block % 32);
    return (Atomics.or(this.wrong, Math.floor(block / 32), bit) & bit) === 0;
  }

  /** What is wrong with the block that was not right just now, in the words of dm-verity. */
  problem(block: number): string {
    return this.badHash < 0
      ? `data block ${block} is corrupted`
      : `hash block ${this.badHash} is corrupted, which data block ${block} is held to`;
  }

  /** Puts the digest of item `k` below a level where digests of that level go; false: the tree does not say. */
  private find(level: number, k: number): boolean {
    const to = level * DIGEST_SIZE;
    if (level === this.levels.length) {
      this.digests.set(this.tree.root, to);
      return true;
    }
    const number = elementAt(this.levels, level).at + Math.floor(k / FANOUT);
    const kept = (number % KEPT) * HASH_BLOCK;
    if (this.numbers[number % KEPT] !== number && !this.load(level, number, Math.floor(k / FANOUT)))
      return false;
    const from = kept + (k % FANOUT) * DIGEST_SIZE;
    for (let i = 0; i < DIGEST_SIZE; i++) this.digests[to + i] = this.kept[from + i] as number; // in a kept block
    return true;
  }

  /** Reads a hash block to its place among those that are kept, where the one above it may have been. */
  private load(level: number, number: number, index: number): boolean {
    if (!this.find(level + 1, index)) return false;
    const place = number % KEPT;
    this.numbers[place] = -1;
    this.read(this.tree.at + number * HASH_BLOCK, this.kept, place * HASH_BLOCK, HASH_BLOCK);
    const block = this.kept.subarray(place * HASH_BLOCK, (place + 1) * HASH_BLOCK);
    if (!isSame(this.above.of(block), this.digests, (level + 1) * DIGEST_SIZE)) {
      this.badHash = number;
      return false;
    }
    this.numbers[place] = number;
    return true;
  }
}

function isSame(digest: Uint8Array, digests: Uint8Array, at: number): boolean {
  for (let i = 0; i < DIGEST_SIZE; i++) if (digest[i] !== digests[at + i]) return false;
  return true;
}
