import { InvalidArgumentError } from "commander";
import type { Verity } from "../src/block/export.ts";
import { HASH_BLOCK, MAX_SALT } from "../src/verity/hash-tree.ts";

const HEX = /^(?:[0-9a-f]{2})*$/i;

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
  if (!HEX.test(value) || value.length > 2 * MAX_SALT)
    throw new InvalidArgumentError(`want at most ${MAX_SALT} bytes as pairs of hex digits`);
  return Buffer.from(value, "hex");
}
