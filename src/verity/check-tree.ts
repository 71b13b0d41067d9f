import { elementAt } from "../bytes/element-at.ts";
import { BlockDigest } from "./block-digest.ts";
import { DIGEST_SIZE, FANOUT, HASH_BLOCK, type Level, levelsOf, type VerityParameters } from "./hash-tree.ts";

/** What does not have the digest that it should have. */
export type Mismatch =
  | { readonly what: "data" /** Number of the data block. */; readonly block: number }
  | { readonly what: "tree" /** Byte of the tree. */; readonly at: number };

/** Where data and tree are read from. */
export interface VeritySource {
  data(at: number, into: Uint8Array): void;
  /** @param at byte of the tree */
  tree(at: number, into: Uint8Array): void;
}

/**
 * Holds data and tree to a root digest, from the root down. Below a hash block that is wrong nothing is known.
 *
 * @returns all that is wrong, in the order of the levels
 */
export function* checkHashTree(
  parameters: VerityParameters,
  root: Uint8Array,
  source: VeritySource,
): Generator<Mismatch> {
  const { dataBlocks } = parameters;
  const levels = levelsOf(dataBlocks);
  const leaves = new Leaves(parameters, source);
  /** By hash block of the level above: undefined where it is wrong. */
  let above: (Uint8Array | undefined)[] = [padded(root)];
  for (let i = levels.length - 1; i >= 0; i--) {
    const below = i === 0 ? dataBlocks : elementAt(levels, i - 1).blocks;
    const here: (Uint8Array | undefined)[] = [];
    let page = 0;
    for (const { at, block, isKnown } of hashBlocks(parameters, elementAt(levels, i), below, above, source)) {
      if (block === undefined && isKnown) yield { what: "tree", at };
      if (i > 0) here.push(block?.slice());
      else if (block !== undefined) yield* leaves.check(page, block);
      page++;
    }
    above = here;
  }
  if (levels.length === 0) yield* leaves.check(0, padded(root));
}

/** The hash blocks of a level that are what the level above says; undefined where one is not, or nothing is known of it. */
function* hashBlocks(
  { salt }: VerityParameters,
  level: Level,
  below: number,
  above: readonly (Uint8Array | undefined)[],
  source: VeritySource,
): Generator<{ at: number; block: Uint8Array | undefined; isKnown: boolean }> {
  const digest = new BlockDigest(salt, HASH_BLOCK);
  const block = new Uint8Array(HASH_BLOCK);
  for (let k = 0; k < level.blocks; k++) {
    const at = (level.at + k) * HASH_BLOCK;
    const wanted = above[Math.floor(k / FANOUT)];
    source.tree(at, block);
    const used = Math.min(FANOUT, below - k * FANOUT) * DIGEST_SIZE;
    const isRight =
      wanted !== undefined &&
      isDigest(digest.of(block), wanted, k % FANOUT) &&
      block.subarray(used).every((byte) => byte === 0); // as veritysetup; the kernel does not look there
    yield { at, block: isRight ? block : undefined, isKnown: wanted !== undefined };
  }
}

/** Data blocks, as many as a hash block has digests of, and what they have. */
class Leaves {
  private readonly parameters: VerityParameters;
  private readonly source: VeritySource;
  private readonly digest: BlockDigest;
  private readonly data: Buffer;
  private readonly found = Buffer.alloc(HASH_BLOCK);

  constructor(parameters: VerityParameters, source: VeritySource) {
    this.parameters = parameters;
    this.source = source;
    this.digest = new BlockDigest(parameters.salt, parameters.dataBlock);
    this.data = Buffer.alloc(FANOUT * parameters.dataBlock);
  }

  /** @param digests the hash block of that number, which is right */
  *check(page: number, digests: Uint8Array): Generator<Mismatch> {
    const { dataBlock, dataBlocks } = this.parameters;
    const first = page * FANOUT;
    const count = Math.min(FANOUT, dataBlocks - first);
    const data = this.data.subarray(0, count * dataBlock);
    this.source.data(first * dataBlock, data);
    this.digest.all(data, this.found, 0);
    for (let k = 0; k < count; k++)
      if (!isDigest(this.found.subarray(k * DIGEST_SIZE, (k + 1) * DIGEST_SIZE), digests, k))
        yield { what: "data", block: first + k };
  }
}

const isDigest = (found: Uint8Array, digests: Uint8Array, k: number): boolean =>
  Buffer.compare(found, digests.subarray(k * DIGEST_SIZE, (k + 1) * DIGEST_SIZE)) === 0;

function padded(root: Uint8Array): Uint8Array {
  const block = new Uint8Array(HASH_BLOCK);
  block.set(root);
  return block;
}
