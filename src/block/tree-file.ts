import { openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { alignUp } from "../bytes/u64.ts";
import { HASH_BLOCK, treeSize } from "../verity/hash-tree.ts";
import type { DiskFile } from "./disk-reader.ts";
import { type Verity, writeVerity } from "./export.ts";
import { FlatDisk } from "./flat-disk.ts";
import { mustHaveRoom } from "./room.ts";

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
  const output = join(tmpdir(), "nydusd-ts-tree");
  const verityRequest = { dataBlock, salt, hasSuperblock: false, isAlone: true };
  mustHaveRoom({ disk, files, output, verity: verityRequest });
  const out = new AtomicFile(output, false);
  try {
    const made = await writeVerity({ disk, files }, verityRequest, out);
    const verity: Verity = { ...made, hashOffset: alignUp(disk.size, HASH_BLOCK) };
    const run = {
      at: verity.hashOffset,
      length: treeSize(verity.dataBlocks),
      source: { file: files.length, from: 0 },
    };
    const whole = new FlatDisk(run.at + run.length, [...disk.runs, run]);
    const fd = openSync(`/proc/self/fd/${out.fd}`, "r"); // outlives the name, which goes now
    return { disk: whole, verity, tree: { fd, name: "the hash tree" } };
  } finally {
    out.discard();
  }
}
