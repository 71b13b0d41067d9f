import { InvalidArgumentError } from "commander";
import type { Verity } from "../src/block/export.ts";
import { HASH_BLOCK } from "../src/verity/hash-tree.ts";
import { isSalt, WANT_SALT } from "../src/verity/hash-words.ts";

/** The line of nydus-image, which its snapshotter reads. @param hasSuperblock which says most of it */
export function verityLine(made: Verity, hasSuperblock: boolean): string {
  const root = Buffer.from(made.root).toString("hex");
  const at = `--hash-offset ${made.hashOffset} ${root}`;
  if (hasSuperblock) return `dm-verity options: ${at}`;
  const hex = Buffer.from(made.salt).toString("hex");
  return (
    `dm-verity options: --no-superblock --format=1 -s ${hex || '""'} --hash=sha256 --data-block-size=${made.dataBlock} ` +
    `--hash-block-size=${HASH_BLOCK} --data-blocks ${made.dataBlocks} ${at}`
  );
}

export function salt(value: string): Uint8Array {
  if (!isSalt(value)) throw new InvalidArgumentError(WANT_SALT);
  return Buffer.from(value, "hex");
}
