import { fstatSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { elementAt } from "../bytes/element-at.ts";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { alignUp } from "../bytes/u64.ts";
import { HASH_BLOCK, treeSize } from "../verity/hash-tree.ts";
import { LARGE_BLOCK } from "./aligned-disk.ts";
import type { DiskFile } from "./disk-reader.ts";
import type { ExportRequest } from "./export.ts";
import type { FlatDisk, Run } from "./flat-disk.ts";

/** File systems on which files can have blocks in common: btrfs, XFS, bcachefs. Source: include/uapi/linux/magic.h. */
const SHARING = new Set([0x9123683e, 0x58465342, 0xca451a4e]);

/** Nobody's bytes of a disk that are hashed, above as many as it has of its own: nydus-image leaves half a megabyte a tar. */
const SPARE_ZEROS = 2 ** 30;

/**
 * To be asked before anything is written.
 *
 * @throws OperationalError when the file system of the output has no room, or a hash tree would be of little but zeros
 */
export function mustHaveRoom({ disk, files, output, verity }: ExportRequest): void {
  if (verity !== undefined) mustBeFull(disk, files);
  const dir = dirname(output);
  const space = roomIn(dir);
  const isShared = SHARING.has(space.type) && verity === undefined && disk.runs.every(canBeShared);
  const data = verity?.isAlone || isShared ? 0 : storedBytes(disk, files);
  const tree = verity === undefined ? 0 : treeSize(disk.size / verity.dataBlock) + HASH_BLOCK;
  const wanted = data + tree;
  if (wanted > space.free)
    throw new OperationalError(`${output}: ${wanted} bytes are needed, ${dir} has room for ${space.free}`);
}

/** @throws OperationalError when a small image says that its tars lie so far apart that hashing the zeros between never ends */
function mustBeFull(disk: FlatDisk, files: readonly DiskFile[]): void {
  const data = disk.runs.reduce((sum, { length }) => sum + alignUp(length, LARGE_BLOCK), 0);
  if (disk.size <= 2 * data + SPARE_ZEROS) return;
  throw new OperationalError(
    `${elementAt(files, 0).name}: of ${disk.size} bytes of its disk ${data} are of the image or its tars: no hash tree is made of so many ` +
      "zeros; build the image again",
  );
}

/** Files have blocks in common where these begin in both. */
const canBeShared = ({ at, source }: Run): boolean =>
  !("file" in source) || (at - source.from) % LARGE_BLOCK === 0;

/** What runs of a disk take in a file system of pages, at the most; a file with holes takes less than its length. */
function storedBytes({ runs }: FlatDisk, files: readonly DiskFile[]): number {
  let inMemory = 0;
  const ofFiles = files.map(() => 0);
  for (const { at, length, source } of runs) {
    const taken = alignUp(at + length, LARGE_BLOCK) - (at - (at % LARGE_BLOCK));
    if ("bytes" in source) inMemory += taken;
    else ofFiles[source.file] = elementAt(ofFiles, source.file) + taken;
  }
  return files.reduce((sum, { fd }, i) => sum + Math.max(0, elementAt(ofFiles, i) - holesOf(fd)), inMemory);
}

function holesOf(fd: number): number {
  const { blocks, size } = fstatSync(fd);
  return Math.max(0, size - 512 * blocks);
}

function roomIn(dir: string): { type: number; free: number } {
  try {
    const { type, bavail, bsize } = statfsSync(dir);
    return { type, free: bavail * bsize };
  } catch (error) {
    throw new OperationalError(`${dir}: ${messageOf(error)}`);
  }
}
