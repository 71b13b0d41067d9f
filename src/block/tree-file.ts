import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { alignUp } from "../bytes/u64.ts";
import { HASH_BLOCK, treeSize } from "../verity/hash-tree.ts";
import type { DiskFile } from "./disk-reader.ts";
import { exportDisk, type Verity } from "./export.ts";
import { FlatDisk } from "./flat-disk.ts";

/** A disk with the hash tree of its data behind it. */
export interface HashedDisk {
  readonly disk: FlatDisk;
  readonly verity: Verity;
  /** One more file than the disk has without it; it has no name and goes when it is closed. */
  readonly tree: DiskFile;
}

/**
 * Makes the hash tree of a disk that is written nowhere.
 *
 * @throws OperationalError when the data cannot be read, or there is no room in the directory for temporary files
 */
export async function withHashTree(
  disk: FlatDisk,
  files: readonly DiskFile[],
  dataBlock: number,
  salt: Uint8Array,
): Promise<HashedDisk> {
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-tree-"));
  try {
    const output = join(dir, "tree");
    const request = { dataBlock, salt, hasSuperblock: false, isAlone: true };
    const made = await exportDisk(
      { disk, files, output, verity: request },
      new Float64Array(new SharedArrayBuffer(8)),
    );
    const verity: Verity = { ...made, hashOffset: alignUp(disk.size, HASH_BLOCK) };
    const length = treeSize(verity.dataBlocks);
    const run = { at: verity.hashOffset, length, source: { file: files.length, from: 0 } };
    const tree = { fd: openSync(output, "r"), name: "the hash tree" };
    return { disk: new FlatDisk(run.at + length, [...disk.runs, run]), verity, tree };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
