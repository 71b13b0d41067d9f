import { closeSync } from "node:fs";
import { BlobFiles } from "../blob/blob-files.ts";
import { ABSENT, type BlobFile, type BlobSearch, blobFile, locateBlob } from "../blob/locate.ts";
import { readExactly } from "../blob/read-exactly.ts";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { Image, type ImageHandle } from "../erofs/image.ts";
import type { MetaFile } from "../erofs/meta-file.ts";
import {
  type CheckedTree,
  checkTree,
  type ImageTables,
  readTables,
  type TreeReport,
  trustTree,
} from "../erofs/open.ts";
import { mustBeRegular, type OpenFile, openFile } from "../safe-open/open-file.ts";
import { BlockChecker, newVerityTree, type VerityTree } from "../verity/block-checker.ts";
import type { HashWords } from "../verity/hash-words.ts";
import { findTree } from "./disk-tree.ts";
import { ImageFileSystem } from "./image-file-system.ts";

type Checked = ReturnType<typeof checkTree>;

const NOTHING_WRONG = { corrupt: 0, problems: [], odd: 0, firstOdd: undefined };

/** An image that was checked, and where its bytes are: all that a serving thread needs, cloneable. */
export interface OpenedImage {
  readonly handle: ImageHandle;
  /** File 0 is the image itself, file i holds device slot i - 1. */
  readonly files: readonly BlobFile[];
  readonly report: TreeReport;
}

/** What a check found in an image that is right from end to end: what it would find again in the same bytes. */
export interface CheckedImage {
  readonly inodes: number;
  readonly directories: number;
  readonly hasXattrs: boolean;
  readonly hasAcls: boolean;
  readonly prefetch: number[];
  /** The files of its devices are as long, or it is to be checked again. */
  readonly dataEnds: readonly number[];
  /** See ImageHandle. */
  readonly valid: Uint8Array;
}

/** Remembers what checks found, by the bytes of the image, all of which it reads. Neither call throws. */
export interface Verdicts {
  find(meta: MetaFile): CheckedImage | undefined;
  keep(meta: MetaFile, found: CheckedImage): void;
}

export interface OpenOptions {
  /** Serve what is valid of a corrupt image, and what is there of its blobs. */
  readonly lenient?: boolean;
  /** Refuse what the kernel shows although it breaks the format. */
  readonly strict?: boolean | undefined;
  /** What all that is read of it, now and later, is held to: an exported disk's hash tree. */
  readonly verity?: HashWords | undefined;
  /** Without them it is checked, whoever has checked it before. */
  readonly verdicts?: Verdicts | undefined;
}

/**
 * Opens an image, finds its blobs and checks the whole of it.
 *
 * @throws OperationalError when a file is missing, too short or unreadable; FormatError when the image is broken
 */
export function openImage(path: string, search: BlobSearch, options: OpenOptions = {}): OpenedImage {
  const { verity } = options;
  const file = openBootstrap(path);
  try {
    const { fd, stats } = file;
    const tables =
      verity === undefined ? readTables(fd, stats.size, path) : readChecked(fd, stats.size, path, verity);
    return openTables(tables, file, search, options);
  } finally {
    closeSync(file.fd);
  }
}

/** Tables of an exported disk whose bytes are held to its hash tree. */
interface CheckedTables extends ImageTables {
  readonly verity?: VerityTree | undefined;
}

function readChecked(fd: number, size: number, path: string, words: HashWords): CheckedTables {
  const { hashFile } = words;
  const disk = { fd, size, path };
  if (hashFile === undefined) return checkedTables(disk, disk, words);
  const { fd: treeFd, stats } = openRegular("hash tree", hashFile);
  try {
    return checkedTables(disk, { fd: treeFd, size: stats.size, path: hashFile }, words);
  } catch (error) {
    closeSync(treeFd);
    throw error;
  }
}

type DiskFile = Parameters<typeof findTree>[0];

/** @param tree the disk itself, or a file that stays open as long as blocks of the disk are read */
function checkedTables(disk: DiskFile, tree: DiskFile, { root, salt, ...known }: HashWords): CheckedTables {
  const { fd, path } = disk;
  const found = findTree(disk, tree, {
    ...known,
    ...(salt === undefined ? {} : { salt: Buffer.from(salt, "hex") }),
  });
  const own = tree === disk ? undefined : tree.fd;
  const verity = newVerityTree(found.parameters, Buffer.from(root, "hex"), found.at, own);
  const { dataBlock, dataBlocks } = found.parameters;
  const readTree = (at: number, ...into: [Uint8Array, number, number]) => readExactly(tree.fd, at, ...into);
  // Nothing behind the data is vouched for: to whoever reads, the disk ends there.
  const tables = readTables(fd, dataBlock * dataBlocks, path, new BlockChecker(verity, readTree));
  if (!tables.isFlat && tables.devices.length > 0)
    throw new OperationalError(
      `${path}: has its data in ${tables.devices.length} other files, and a hash tree is of one disk: export it first`,
    );
  return { ...tables, verity };
}

/** The same with an image whose tables were read: the tree that is checked is that of these tables, whatever has its path. */
export function openTables(
  tables: CheckedTables,
  { stats }: Pick<OpenFile, "stats">,
  search: BlobSearch,
  { lenient = false, strict = false, verdicts }: OpenOptions = {},
): OpenedImage {
  const self = { ...blobFile(tables.meta.file, stats), verity: tables.verity };
  const absent: Error[] = [];
  const blobs = tables.isFlat ? [] : findBlobs(tables, search, lenient ? absent : undefined);
  const sizes = blobs.map((b) => b.size);
  const check = () => checkTree(tables, sizes, lenient, strict);
  const { handle, report } =
    knownTree(tables, sizes, verdicts) ??
    keepTree(tables, lenient ? withoutTraces(check) : check(), verdicts);
  report.problems.unshift(...absent);
  if (!lenient) mustName(tables, search);
  return { handle, files: [self, ...blobs], report };
}

/** A bootstrap is read from end to end. Of what holds data as well, most is never read. */
const isBootstrap = ({ devices, isFlat, verity }: CheckedTables): boolean =>
  devices.length > 0 && !isFlat && verity === undefined;

/** What an earlier check found, if it still holds: a file may have become shorter. */
function knownTree(
  tables: CheckedTables,
  sizes: readonly number[],
  verdicts: Verdicts | undefined,
): Checked | undefined {
  const found = isBootstrap(tables) ? verdicts?.find(tables.meta) : undefined;
  if (found === undefined || found.dataEnds.some((end, i) => end > (sizes[i] ?? 0))) return undefined;
  const { valid, hasXattrs, hasAcls, ...counts } = found;
  const { loaded } = tables.meta;
  return {
    handle: trustTree(tables, { valid, hasXattrs, hasAcls, loaded }),
    report: { ...NOTHING_WRONG, ...counts, loaded },
  };
}

/** Only what is right in every respect is worth a note: of anything else there is more to say. */
function keepTree(tables: CheckedTables, checked: Checked, verdicts: Verdicts | undefined): Checked {
  const { handle, report } = checked;
  const { inodes, directories, corrupt, odd, prefetch, dataEnds } = report;
  const { hasXattrs, hasAcls } = handle;
  const valid = new Uint8Array(handle.valid);
  if (isBootstrap(tables) && corrupt + odd === 0)
    verdicts?.keep(tables.meta, { inodes, directories, hasXattrs, hasAcls, prefetch, dataEnds, valid });
  return checked;
}

/**
 * Opens an image that another process had open, from the very files that it had.
 *
 * @param fd of files[0], which is known to be what it was
 * @param checked what was found out about its tree; undefined: it is checked again, the longest part of all
 * @throws FormatError
 */
export function reopenImage(
  fd: number,
  files: readonly BlobFile[],
  lenient: boolean,
  checked: (CheckedTree & Pick<TreeReport, "inodes" | "directories">) | undefined,
  hashes: HashWords | undefined,
): OpenedImage {
  const [self, ...blobs] = files as readonly [BlobFile, ...BlobFile[]];
  if (hashes !== undefined) {
    const tables = readChecked(fd, self.size, self.path, hashes);
    const opened = lenient
      ? withoutTraces(() => checkTree(tables, [], lenient))
      : checkTree(tables, [], lenient);
    return { ...opened, files: [{ ...self, verity: tables.verity }, ...blobs] };
  }
  const tables = readTables(fd, self.size, self.path);
  if (checked !== undefined) {
    const { inodes, directories, loaded } = checked;
    const report = { ...NOTHING_WRONG, inodes, directories, loaded, prefetch: [], dataEnds: [] };
    return { handle: trustTree(tables, checked), files, report };
  }
  const sizes = blobs.map(({ size }) => size);
  const check = () => checkTree(tables, sizes, lenient);
  return { ...(lenient ? withoutTraces(check) : check()), files };
}

/** An image as a file system of whose files no byte is read: names, attributes and what lies in the image itself. */
export const metadataOf = ({ handle, files }: OpenedImage): ImageFileSystem =>
  new ImageFileSystem(new Image(handle), new BlobFiles(files, () => {}));

/** A lenient pass counts errors, maybe one a file, and their stack traces would be most of its work. */
function withoutTraces<T>(work: () => T): T {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return work();
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** @throws OperationalError unless it is a regular file that can be read */
export const openBootstrap = (path: string): OpenFile => openRegular("bootstrap", path);

function openRegular(what: string, path: string): OpenFile {
  try {
    return openFile(path, mustBeRegular);
  } catch (error) {
    throw new OperationalError(
      `${what} ${path}: ${codeOf(error) === "ENOENT" ? "no such file" : messageOf(error)}`,
    );
  }
}

/**
 * Files of the device slots, in their order.
 *
 * @param absent where a lenient open notes blobs that are not there or too short, instead of throwing
 */
function findBlobs(
  { devices, sb }: ImageTables,
  search: BlobSearch,
  absent: Error[] | undefined,
): BlobFile[] {
  const { single, files } = search;
  const unnamed = devices.filter(({ id }, i) => !files.has(id) && !files.has(String(i + 1))).length;
  if (single !== undefined && unnamed > 1)
    throw new OperationalError(`${single}: one file for ${unnamed} blobs`, {
      advice: "name the directory that holds them with --blob-dir",
    });
  return devices.map(({ id, blocks }, i) => {
    let file = ABSENT;
    try {
      file = locateBlob(search, i, id, blocks * sb.blockSize);
      mustHold(file, id || String(i + 1), blocks * sb.blockSize);
    } catch (error) {
      if (absent === undefined || !(error instanceof OperationalError)) throw error;
      absent.push(error);
    }
    return file;
  });
}

/** A file given for a blob that the image does not have is a typing error that would go unnoticed. */
function mustName({ devices }: ImageTables, { files }: BlobSearch): void {
  for (const [name, path] of files)
    if (!devices.some(({ id }, i) => name === id || name === String(i + 1)))
      throw new OperationalError(
        `--blob ${name}=${path}: the image has ${devices.length} blobs, none of that name`,
      );
}

function mustHold(file: BlobFile, name: string, wanted: number): void {
  if (file.size >= wanted) return;
  throw new OperationalError(
    `blob ${name}: ${file.path}: ${file.size} bytes is too short (wanted: ${wanted})`,
  );
}
