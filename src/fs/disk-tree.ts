import { readSync } from "node:fs";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { alignUp } from "../bytes/u64.ts";
import { readTables } from "../erofs/open.ts";
import { HASH_BLOCK, treeSize, type VerityParameters } from "../verity/hash-tree.ts";
import { readVerityHeader } from "../verity/superblock.ts";

/** A file that data or tree are in. */
interface TreeFile {
  readonly fd: number;
  readonly size: number;
  readonly path: string;
}

/** What is known of a tree before it is looked for. */
export interface KnownOfTree {
  readonly hashOffset?: number | undefined;
  readonly dataBlock?: number | undefined;
  readonly dataBlocks?: number | undefined;
  readonly salt?: Uint8Array | undefined;
}

/** Where a disk's hash tree is, and of what. */
export interface DiskTree {
  readonly parameters: VerityParameters;
  /** Byte of its file where it begins. */
  readonly at: number;
  /** And where a superblock in front of it does. */
  readonly offset: number;
}

/**
 * Finds the hash tree of an exported disk: where it is said to be, or behind the data, whose length the image says. Nothing of this
 * is trusted: with other parameters the root digest is another one.
 *
 * @param tree the file that it is in
 * @throws FormatError when there is none; OperationalError when it is not of all of the disk
 */
export function findTree(disk: TreeFile, tree: TreeFile, known: KnownOfTree): DiskTree {
  const { dataBlock, size } = dataOf(disk, known);
  const length = known.dataBlocks === undefined ? size : known.dataBlocks * dataBlock;
  const offset = known.hashOffset ?? (tree === disk ? alignUp(length, HASH_BLOCK) : 0);
  const header = headerAt(tree, offset);
  const parameters: VerityParameters = {
    dataBlock: header?.dataBlock ?? dataBlock,
    dataBlocks: known.dataBlocks ?? header?.dataBlocks ?? Math.floor(length / dataBlock),
    salt: known.salt ?? header?.salt ?? new Uint8Array(0),
  };
  mustCover(disk.path, parameters, size);
  const at = offset + (header === undefined ? 0 : HASH_BLOCK);
  if (at + treeSize(parameters.dataBlocks) > tree.size)
    throw new FormatError(`no hash tree of ${parameters.dataBlocks} blocks from byte ${at} on`, {
      file: tree.path,
      at: tree.size,
    });
  return { parameters, at, offset };
}

/** What the disk itself says of its data, whether or not a block of its metadata is wrong. */
function dataOf(
  { fd, size: length, path }: TreeFile,
  known: KnownOfTree,
): { dataBlock: number; size: number } {
  const { sb, devices } = readTables(fd, length, path);
  const ends = devices.map(({ unifiedAt, blocks }) => unifiedAt + blocks * sb.blockSize);
  return {
    dataBlock: known.dataBlock ?? sb.blockSize,
    size: Math.max(sb.blocks * sb.blockSize, ...ends),
  };
}

/** A root digest says nothing of what lies behind its blocks. */
function mustCover(file: string, { dataBlock, dataBlocks }: VerityParameters, size: number): void {
  if (dataBlock * dataBlocks >= size) return;
  throw new OperationalError(
    `${file}: the hash tree is of ${dataBlocks} blocks of ${dataBlock} bytes, the disk has ${size} bytes`,
  );
}

function headerAt({ fd, size }: TreeFile, at: number): VerityParameters | undefined {
  if (at + HASH_BLOCK > size) return undefined;
  const bytes = new Uint8Array(HASH_BLOCK);
  return readSync(fd, bytes, 0, HASH_BLOCK, at) === HASH_BLOCK ? readVerityHeader(bytes) : undefined;
}
