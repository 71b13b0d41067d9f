import { elementAt } from "../bytes/element-at.ts";
import { BlockDigest } from "./block-digest.ts";
import { DIGEST_SIZE, FANOUT, HASH_BLOCK, levelsOf, type VerityParameters } from "./hash-tree.ts";

/**
 * Makes the levels above the lowest one.
 *
 * @param lowest digests of the hash blocks of level 0, side by side; of the only data block where there is none
 * @param write puts a hash block at a byte of the tree
 * @returns the root digest
 */
export function upperLevels(
  { dataBlocks, salt }: VerityParameters,
  lowest: Uint8Array,
  write: (block: Uint8Array, at: number) => void,
): Uint8Array {
  const digest = new BlockDigest(salt, HASH_BLOCK);
  const levels = levelsOf(dataBlocks);
  let below = lowest;
  for (let i = 1; i < levels.length; i++) {
    const { at, blocks } = elementAt(levels, i);
    const digests = new Uint8Array(blocks * DIGEST_SIZE);
    for (let k = 0; k < blocks; k++) {
      const block = new Uint8Array(HASH_BLOCK); // what no digest fills is zeros: veritysetup looks
      const from = k * FANOUT * DIGEST_SIZE;
      block.set(below.subarray(from, from + HASH_BLOCK));
      write(block, (at + k) * HASH_BLOCK);
      digests.set(digest.of(block), k * DIGEST_SIZE);
    }
    below = digests;
  }
  return below.subarray(0, DIGEST_SIZE);
}
