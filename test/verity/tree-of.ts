import { BlockDigest } from "../../src/verity/block-digest.ts";
import { HASH_BLOCK, levelsOf, treeSize } from "../../src/verity/hash-tree.ts";
import { upperLevels } from "../../src/verity/upper-levels.ts";

export const noise = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * i * 31 + (i >> 9)) & 0xff);

/** A tree in memory, built level by level as an export does. */
export function treeOf(data: Uint8Array, dataBlock: number, salt: Uint8Array) {
  const dataBlocks = data.length / dataBlock;
  const parameters = { dataBlock, dataBlocks, salt };
  const tree = new Uint8Array(treeSize(dataBlocks));
  const leaves = new Uint8Array(dataBlocks * 32);
  new BlockDigest(salt, dataBlock).all(data.slice(), leaves, 0);
  const [lowest] = levelsOf(dataBlocks);
  let digests = leaves;
  if (lowest !== undefined) {
    const at = lowest.at * HASH_BLOCK;
    tree.set(leaves, at);
    digests = new Uint8Array(lowest.blocks * 32);
    new BlockDigest(salt, HASH_BLOCK).all(tree.slice(at, at + lowest.blocks * HASH_BLOCK), digests, 0);
  }
  const root = upperLevels(parameters, digests, (block, at) => tree.set(block, at));
  return { parameters, tree, root };
}
