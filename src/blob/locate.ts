import { closeSync, constants, fstatSync, openSync, type Stats } from "node:fs";
import { join } from "node:path";
import { codeOf, messageOf, StartError } from "../bytes/errors.ts";

/** Where to look for the tar of a blob id. */
export interface BlobPlaces {
  /** Directories that hold tars under their blob id, or as `<id>.tar`; searched in this order. */
  readonly dirs: readonly string[];
  /** Files named for one id each. */
  readonly files: ReadonlyMap<string, string>;
  /** A file for the only blob of an image, whatever its id. */
  readonly single?: string;
}

/** A file that was found, and what it was then: a later open must find the same one. */
export interface BlobFile {
  readonly path: string;
  readonly size: number;
  readonly dev: number;
  readonly ino: number;
  /** ms since 1970; `ctime` changes whatever is done to a file. */
  readonly mtime: number;
  readonly ctime: number;
  /** Kept open for all threads to read by: whatever becomes of the path, the bytes are there. */
  readonly fd?: number;
}

/** What a lenient open takes for a blob that it did not find: no byte of it is ever asked for. */
export const ABSENT: BlobFile = { path: "", size: 0, dev: -1, ino: -1, mtime: 0, ctime: 0 };

/**
 * Finds the file of blob `index`.
 *
 * @param id blob id, "" when the image does not name it
 * @param wanted bytes that the device slot promises
 * @returns the file, whatever its length: the pass over the tree knows what is really needed
 * @throws StartError naming the id, every place looked in, and the wanted size
 */
export function locateBlob(places: BlobPlaces, index: number, id: string, wanted: number): BlobFile {
  const named = places.files.get(id) ?? places.files.get(String(index + 1)) ?? places.single;
  const candidates = named
    ? [named]
    : id === ""
      ? []
      : places.dirs.flatMap((dir) => [join(dir, id), join(dir, `${id}.tar`)]);
  const name = id === "" ? `${index + 1} (the image gives it no id)` : id;
  const looked: string[] = [];
  for (const path of candidates) {
    try {
      return describeBlob(path);
    } catch (error) {
      if (codeOf(error) !== "ENOENT" || named)
        throw new StartError(`blob ${name}: ${path}: ${messageOf(error)} (wanted: ${wanted} bytes)`);
      looked.push(path);
    }
  }
  const where = looked.length > 0 ? `not found as ${looked.join(", ")}` : "no place to look in";
  throw new StartError(
    `blob ${name}: ${where} (wanted: ${wanted} bytes); name its directory with --blob-dir or the file with --blob ${id || index + 1}=PATH`,
  );
}

/** Opens a path that must be a regular file or block device; a fifo does not block. */
export function openBlob(path: string): { fd: number; stats: Stats } {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stats = fstatSync(fd);
  if (stats.isFile() || stats.isBlockDevice()) return { fd, stats };
  closeSync(fd);
  throw new StartError("not a regular file");
}

function describeBlob(path: string): BlobFile {
  const { fd, stats } = openBlob(path);
  closeSync(fd);
  // A block device has no length in its inode; what is read past its end fails then.
  const size = stats.isFile() ? stats.size : Number.MAX_SAFE_INTEGER;
  return { path, size, dev: stats.dev, ino: stats.ino, mtime: stats.mtimeMs, ctime: stats.ctimeMs };
}
