import { dtOfMode, S_IFDIR, S_IFLNK, S_IFREG } from "../bytes/errno.ts";
import { compareBytes } from "../bytes/name.ts";

/**
 * The interface between transports (`fuse`, `fuse-native`) and file systems (`fs`, `pseudo`): what may be asked of a
 * read-only file system, and the records that answers are put into. No implementation is here.
 *
 * Nodes are numbers: 1 is the root, others are what `lookup` and `entry` gave. Every call answers a
 * non-negative number or `-errno`, never throws for the image's contents, never waits on a promise, and
 * makes no object: the caller owns the records and the buffers.
 */
export const ROOT_NODE = 1;

/** Types of entries. */
export const DT_DIRECTORY = dtOfMode(S_IFDIR);
export const DT_REGULAR = dtOfMode(S_IFREG);
export const DT_SYMLINK = dtOfMode(S_IFLNK);

/** `struct stat` without what a read-only image cannot have. Times are one: an image knows only mtime. */
export interface Attr {
  ino: number;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  /** Linux "new" encoding: see bytes/device-number. */
  rdev: number;
  size: number;
  /** Units of 512 bytes. */
  blocks: number;
  /** Seconds, may be negative. */
  mtime: number;
  /** Both halves of it, where it is no safe integer. */
  mtimeLow: number;
  mtimeHigh: number;
  mtimeNsec: number;
  /** Tells files that had the same number one after the other apart. */
  generation: number;
}

/** One directory entry. `bytes[nameAt, nameAt + nameLength)` is its name and must not be kept. */
export interface Entry {
  bytes: Uint8Array;
  nameAt: number;
  nameLength: number;
  /** 0 when the entry's inode is corrupt (see `--lenient`): it is listed but cannot be looked up. */
  node: number;
  ino: number;
  /** DT_*, 0 when it is not known. */
  type: number;
  /** Cookie of the entry after this one. */
  next: number;
  /** Where the file system is in the directory: its own, for `nextEntry`. A caller only hands it back. */
  slot: number;
  directory: number;
  block: number;
  blockEnd: number;
  blockCookie: number;
  index: number;
  count: number;
}

export interface Statfs {
  blocks: number;
  blockSize: number;
  files: number;
}

/** What is true of the whole image, so that a transport can refuse a kind of question once and for all. */
export interface Traits {
  readonly hasXattrs: boolean;
  readonly hasAcls: boolean;
}

export interface FileSystem {
  readonly traits: Traits;
  /**
   * `.` answers the node itself, whatever its type: file handles are revived that way (fs/fuse/inode.c,
   * fuse_get_dentry).
   *
   * @returns the node, 0 when the name does not exist, or -errno.
   */
  lookup(parent: number, bytes: Uint8Array, nameAt: number, nameLength: number): number;
  attr(node: number, into: Attr): number;
  /**
   * The entry at `cookie` (0 is the first).
   * @returns 1 when `into` was filled, 0 at the end, or -errno.
   */
  entry(node: number, cookie: number, into: Entry): number;
  /**
   * The same for the entry after the one that `into` holds, without looking for its place. All that is known of the
   * listing is in `into`, so that any number of listings can be open at once.
   */
  nextEntry(into: Entry): number;
  /** @returns bytes put at `out[at…]`: less than `length` only at the end of the file. */
  read(node: number, offset: number, length: number, out: Uint8Array, at: number): number;
  /** Where the data of the last read lies on disk: a number for comparing two reads, in bytes while both are of one file. */
  readFrom(): number;
  readlink(node: number, out: Uint8Array, at: number): number;
  /** @returns the value's length; with `room` 0 nothing is written; -ERANGE when it does not fit. */
  getxattr(
    node: number,
    bytes: Uint8Array,
    nameAt: number,
    nameLength: number,
    out: Uint8Array,
    at: number,
    room: number,
  ): number;
  /** NUL-terminated names one after the other. `privileged` shows `trusted.*` too. */
  listxattr(node: number, out: Uint8Array, at: number, room: number, privileged: boolean): number;
  /** Of the file system that the node is in. */
  statfs(node: number, into: Statfs): number;
}

export const newAttr = (): Attr => ({
  ino: 0,
  mode: 0,
  nlink: 0,
  uid: 0,
  gid: 0,
  rdev: 0,
  size: 0,
  blocks: 0,
  mtime: 0,
  mtimeLow: 0,
  mtimeHigh: 0,
  mtimeNsec: 0,
  generation: 0,
});

export const newEntry = (): Entry => ({
  bytes: new Uint8Array(0),
  nameAt: 0,
  nameLength: 0,
  node: 0,
  ino: 0,
  type: 0,
  next: 0,
  slot: 0,
  directory: 0,
  block: 0,
  blockEnd: 0,
  blockCookie: 0,
  index: 0,
  count: 0,
});

/** memcmp order of two entries' names. */
export const compareNames = (a: Entry, b: Entry): number =>
  compareBytes(a.bytes, a.nameAt, a.nameLength, b.bytes, b.nameAt, b.nameLength);
