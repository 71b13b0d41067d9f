import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import type { EntryKind } from "./entry.ts";

const KINDS: ReadonlyMap<number, EntryKind> = new Map([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFLNK, "symlink"],
  [S_IFCHR, "char"],
  [S_IFBLK, "block"],
  [S_IFIFO, "fifo"],
]);

/** The kind of entry for an inode of this mode; undefined for a socket, of which a tar has none. */
export const kindOfMode = (mode: number): EntryKind | undefined => KINDS.get(mode & S_IFMT);
