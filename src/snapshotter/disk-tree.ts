import { readFile, rm } from "node:fs/promises";
import { writeWhole } from "../atomic-file/write-whole.ts";
import { codeOf } from "../bytes/errors.ts";

/** The hash tree behind a disk, as who checks the disk has to be told of it. */
export interface DiskTree {
  /** Bytes that are hashed at a time. */
  readonly dataBlock: number;
  readonly dataBlocks: number;
  /** Byte of the disk. */
  readonly hashOffset: number;
  /** sha256, in hexadecimal digits. */
  readonly root: string;
}

const TREE = /^(\d+),(\d+),(\d+),sha256:([0-9a-f]{64})\n$/;
const SUFFIX = ".tree";

/** Of a disk, or of the file beside it that says what its tree is. */
export const diskOf = (file: string): string =>
  file.endsWith(SUFFIX) ? file.slice(0, -SUFFIX.length) : file;

/** Says it beside the disk: what labels say is anybody's, an image's too. */
export function writeTree(disk: string, { dataBlock, dataBlocks, hashOffset, root }: DiskTree): void {
  writeWhole(disk + SUFFIX, Buffer.from(`${dataBlock},${dataBlocks},${hashOffset},sha256:${root}\n`));
}

/** @returns undefined: nothing is known of the disk */
export async function readTree(disk: string): Promise<DiskTree | undefined> {
  const [, dataBlock, dataBlocks, hashOffset, root] = TREE.exec(await textOf(disk + SUFFIX)) ?? [];
  if (root === undefined) return undefined;
  return {
    ...{ dataBlock: Number(dataBlock), dataBlocks: Number(dataBlocks) },
    hashOffset: Number(hashOffset),
    root,
  };
}

/** Before the disk goes, or another takes its place. */
export const forgetTree = (disk: string): Promise<void> => rm(disk + SUFFIX, { force: true });

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}
