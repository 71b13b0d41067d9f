import { S_IFLNK, S_IFMT } from "../bytes/errno.ts";
import { OperationalError } from "../bytes/errors.ts";
import { DIRENT_SIZE } from "../erofs/dirent.ts";
import { INODE_EXTENDED } from "../erofs/inode.ts";
import { MAX_METADATA } from "../erofs/meta-file.ts";
import type { Attributes } from "./tree.ts";

/**
 * What an archive may ask of the builder. Each bound is far above what programs write, and is met before memory or time
 * is spent on it; docs/security.md has the table.
 */
export { MAX_NAME, MAX_PATH, MAX_SYMLINKS } from "../bytes/limits.ts";
/**
 * Names on the way of one path, those in the targets of its symlinks counted: as many as a path of PATH_MAX has twice. Nothing
 * lies deeper than that.
 */
export const MAX_STEPS = 4096;
/** Extended attributes of one entry, and of all entries of a tree, those left out among them. */
export const MAX_XATTRS = 1 << 10;
export const MAX_ALL_XATTRS = 1 << 24;

/** Bytes that a name takes in its directory, and an inode in the image, at the least. */
export const nameBytes = (length: number): number => DIRENT_SIZE + length;
export const inodeBytes = ({ mode, size, xattrSize }: Attributes): number =>
  INODE_EXTENDED + xattrSize + ((mode & S_IFMT) === S_IFLNK ? size : 0);

/** A bound is met. Whoever knows which entry is at hand names it. */
export class BudgetExceeded extends OperationalError {}

/** Counts what the metadata of an image will take at the least, while its tree still grows. */
export class MetadataBudget {
  private bytes = 0;

  /** @throws BudgetExceeded as soon as no reader would take the image */
  add(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes > MAX_METADATA)
      throw new BudgetExceeded(
        `with it names, inodes and chunk indexes take more than ${MAX_METADATA} bytes, the most that is read of an image's metadata`,
      );
  }
}
