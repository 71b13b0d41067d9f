import { closeSync } from "node:fs";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { findTree } from "../fs/disk-tree.ts";
import { whoseBytes } from "../fs/whose-bytes.ts";
import { type OpenFile, openFile } from "../safe-open/open-file.ts";
import { loadSystemCalls } from "../syscalls/system-call.ts";
import { checkHashTree, type Mismatch } from "../verity/check-tree.ts";
import { HASH_BLOCK } from "../verity/hash-tree.ts";
import { DiskReader } from "./disk-reader.ts";
import { FlatDisk } from "./flat-disk.ts";
import { FLATTENED, type ImageDisk, openImageDisk } from "./image-disk.ts";

/** What `verify` is told; what it is not told is found in the disk. */
export interface VerifyRequest {
  readonly disk: string;
  readonly root: Uint8Array;
  /** The file that the tree is in, when it is not the disk. */
  readonly hashFile?: string | undefined;
  readonly hashOffset?: number | undefined;
  readonly dataBlocks?: number | undefined;
  readonly salt?: Uint8Array | undefined;
}

/** Messages that are enough for anybody. */
const MAX_PROBLEMS = 20;

/**
 * Holds a disk to the root digest of its hash tree.
 *
 * @returns a line for each part that is wrong, the first ones; none when all is right
 * @throws OperationalError, FormatError when there is no disk or no tree
 */
export async function verifyDisk(request: VerifyRequest): Promise<readonly string[]> {
  await loadSystemCalls(); // blocks are hashed faster (0055)
  const disk = regularFile(request.disk);
  const hashes = request.hashFile === undefined ? disk : regularFile(request.hashFile);
  try {
    const inDisk = reader(disk.fd, disk.stats.size, request.disk);
    const inTree = reader(hashes.fd, hashes.stats.size, request.hashFile ?? request.disk);
    const data = { fd: disk.fd, size: inDisk.disk.size, path: request.disk };
    const tree = { fd: hashes.fd, size: inTree.disk.size, path: request.hashFile ?? request.disk };
    const { parameters, at: treeAt, offset } = findTree(data, hashes === disk ? data : tree, request);
    const problems: string[] = [];
    const end = parameters.dataBlocks * parameters.dataBlock;
    if (
      request.hashFile === undefined &&
      offset > end &&
      !isZero(inDisk, end, Math.min(offset - end, HASH_BLOCK))
    )
      problems.push(`byte ${end}: padding in front of the tree, want zeros`);
    const source = {
      data: (at: number, into: Uint8Array) => inDisk.read(at, into),
      tree: (at: number, into: Uint8Array) => inTree.read(treeAt + at, into),
    };
    const wrong: Mismatch[] = [];
    for (const mismatch of checkHashTree(parameters, request.root, source)) {
      if (problems.length + wrong.length === MAX_PROBLEMS) break;
      wrong.push(mismatch);
    }
    return [...problems, ...describe(request.disk, wrong, parameters.dataBlock, treeAt)];
  } finally {
    closeSync(disk.fd);
    if (hashes !== disk) closeSync(hashes.fd);
  }
}

const regularFile = (path: string): OpenFile =>
  openFile(path, (stats) => {
    if (!stats.isFile()) throw new OperationalError(`${path}: not a regular file`);
  });

const reader = (fd: number, size: number, name: string): DiskReader =>
  new DiskReader(new FlatDisk(size, [{ at: 0, length: size, source: { file: 0, from: 0 } }]), [{ fd, name }]);

function isZero(disk: DiskReader, at: number, length: number): boolean {
  const bytes = new Uint8Array(length);
  disk.read(at, bytes);
  return bytes.every((byte) => byte === 0);
}

/** Names layer and file of what is wrong, where the image can still be read. */
function describe(path: string, wrong: readonly Mismatch[], dataBlock: number, treeAt: number): string[] {
  let image: ImageDisk | undefined;
  try {
    if (wrong.length > 0) image = openImageDisk(path, { dirs: [], files: new Map() }, FLATTENED);
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof OperationalError)) throw error;
  }
  const open = image;
  const lines = wrong.map((one) => {
    if (one.what === "tree")
      return `byte ${treeAt + one.at}: a block of the hash tree is wrong, and all below it unknown`;
    const at = one.block * dataBlock;
    const whose = open === undefined ? "" : `: ${whoseBytes(open.image, open.fs, open.blobs, at, dataBlock)}`;
    return `byte ${at}: data block ${one.block} is wrong${whose}`;
  });
  open?.close();
  return lines;
}
