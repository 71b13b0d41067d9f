import { SHA256 } from "../bytes/sha256.ts";
import { closeSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { adviceOf, codeOf, OperationalError, problemOf } from "../bytes/errors.ts";
import { openBeneath } from "../safe-open/beneath.ts";
import { type Identity, identityOf, isSame } from "../safe-open/identity.ts";
import { type OpenFile, openFile } from "../safe-open/open-file.ts";
import { isTrusted, strangerOf } from "../safe-open/strangers.ts";
import type { VerityTree } from "../verity/block-checker.ts";

/** Where to look for the tar of a blob id. */
export interface BlobSearch {
  /** Directories that hold tars under their blob id, or as `<id>.tar`; searched in this order. */
  readonly dirs: readonly string[];
  /**
   * A directory that the user did not name, where tars usually are, with other things beside them. An image may call its blobs
   * what it likes; there only a sha256 counts.
   */
  readonly beside?: string | undefined;
  /** Files named for one id each. */
  readonly files: ReadonlyMap<string, string>;
  /** By id: which file such a path was found to be, and still has to be. */
  readonly known?: ReadonlyMap<string, Identity> | undefined;
  /** A file for the only blob of an image, whatever its id. */
  readonly single?: string;
  /** Directories are all that this command line can name: advice is of no --blob. */
  readonly isByDirectory?: boolean;
}

/** A file that was found, and what it was then: a later open must find the same one. */
export interface BlobFile extends Identity {
  readonly path: string;
  readonly size: number;
  /** ms since 1970; `ctime` changes whatever is done to a file. */
  readonly mtime: number;
  readonly ctime: number;
  /** Kept open for all threads to read by: whatever becomes of the path, the bytes are there. */
  readonly fd?: number;
  /** What all of its bytes are held to when they are read. */
  readonly verity?: VerityTree | undefined;
}

/** What a lenient open takes for a blob that it did not find: no byte of it is ever asked for. */
export const ABSENT: BlobFile = { path: "", size: 0, dev: -1, ino: -1, born: 0, mtime: 0, ctime: 0 };

/**
 * Finds the file of blob `index`. Where only its id says which, it is a regular file that lies below the directories; a
 * file that the user named may be anywhere, and a block device.
 *
 * @param id blob id, "" when the image does not name it
 * @param wanted bytes that the device slot promises
 * @returns the file, whatever its length: the pass over the tree knows what is really needed
 * @throws OperationalError naming the id, every place looked in, and the wanted size
 */
export function locateBlob(search: BlobSearch, index: number, id: string, wanted: number): BlobFile {
  const named = search.files.get(id) ?? search.files.get(String(index + 1)) ?? search.single;
  const name = id === "" ? `${index + 1} (the image gives it no id)` : id;
  const looked: string[] = [];
  for (const { path, open } of named === undefined ? byId(search, id) : [byName(search, id, named)]) {
    try {
      return describe(path, open());
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || named)
        throw new OperationalError(
          `blob ${name}: ${path}: ${problemOf(error)} (wanted: ${wanted} bytes)`,
          adviceOf(error),
        );
      looked.push(path);
    }
  }
  const where = looked.length > 0 ? `not found as ${looked.join(", ")}` : "no place to look in";
  throw new OperationalError(`blob ${name}: ${where} (wanted: ${wanted} bytes)`, {
    ...howToName(search, index, id),
  });
}

function howToName(
  { isByDirectory = false }: BlobSearch,
  index: number,
  id: string,
): { readonly advice?: string } {
  if (!isByDirectory)
    return { advice: `name its directory with --blob-dir or the file with --blob ${id || index + 1}=PATH` };
  return id === "" ? {} : { advice: "name its directory with --blob-dir" };
}

/** A place to look in. */
interface Candidate {
  readonly path: string;
  readonly open: () => OpenFile;
}

function byName({ known }: BlobSearch, id: string, path: string): Candidate {
  const found = known?.get(id);
  return { path, open: () => (found === undefined ? openBlob(path) : openKnown(path, found)) };
}

function byId(search: BlobSearch, id: string): Candidate[] {
  const { dirs, beside } = search;
  if (id === "") return [];
  const all = beside !== undefined && SHA256.test(id) ? [...dirs, beside] : dirs;
  return all.flatMap((dir) =>
    [id, `${id}.tar`].map((name) => ({
      path: join(dir, name),
      open: () => openNoStrangers(dir, name, search, id),
    })),
  );
}

/**
 * A stranger's file in a directory where only root and this user put files was taken for what it is called: he can still write to
 * it. In his own directory it is as good as all that is there.
 */
function openNoStrangers(dir: string, name: string, search: BlobSearch, id: string): OpenFile {
  const file = openBeneath(dir, name, search.dirs);
  const { uid } = file.stats;
  if (isTrusted(uid) || strangerOf(statSync(dirname(file.path))) !== undefined) return file;
  closeSync(file.fd);
  throw new OperationalError(`belongs to user ${uid}, its directory does not`, {
    advice: search.isByDirectory
      ? "chown it"
      : `chown it, or take it as it is with --blob ${id}=${file.path}`,
  });
}

/** Opens a path that must be a regular file or block device. */
const openBlob = (path: string): OpenFile => openFile(path, mustHaveBytes);

/** @throws when there is no such file any more, or another one */
export const openSame = (file: BlobFile): number =>
  openKnown(file.path, file, "not the file that was there when the image was mounted").fd;

function openKnown(
  path: string,
  known: Identity,
  problem = "not the file that was found when the image was prepared",
): OpenFile {
  return openFile(path, (stats) => {
    mustHaveBytes(stats);
    if (!isSame(identityOf(stats), known)) throw new OperationalError(problem);
  });
}

function mustHaveBytes(stats: Stats): void {
  if (!stats.isFile() && !stats.isBlockDevice()) throw new OperationalError("not a regular file");
}

function describe(path: string, { fd, stats }: OpenFile): BlobFile {
  closeSync(fd);
  return blobFile(path, stats);
}

export function blobFile(path: string, stats: Stats): BlobFile {
  // A block device has no length in its inode; what is read past its end fails then.
  const size = stats.isFile() ? stats.size : Number.MAX_SAFE_INTEGER;
  const { mtimeMs: mtime, ctimeMs: ctime } = stats;
  return { path, size, ...identityOf(stats), mtime, ctime };
}
