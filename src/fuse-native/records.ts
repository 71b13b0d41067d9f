import { MAX_NAME } from "../bytes/limits.ts";
import type * as Fuse from "fuse-native";
import type { Attr, Statfs } from "../vfs/file-system.ts";
import { BLKSIZE } from "../vfs/kernel-policy.ts";

/** What fuse-native copies into a `struct stat` or `struct statvfs`, 32 bits a field but for size, blocks and times. */
const U32_MAX = 0xffff_ffff;

export const newStat = (): Fuse.Stat => ({
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  nlink: 0,
  ino: 0,
  rdev: 0,
  blksize: BLKSIZE,
  blocks: 0,
  atime: 0,
  mtime: 0,
  ctime: 0,
});

export function fillStat(attr: Attr, into: Fuse.Stat): Fuse.Stat {
  const time = milliseconds(attr);
  into.mode = attr.mode;
  into.uid = attr.uid;
  into.gid = attr.gid;
  into.size = attr.size;
  into.nlink = attr.nlink;
  into.ino = attr.ino;
  into.rdev = attr.rdev;
  into.blocks = attr.blocks;
  into.atime = time;
  into.mtime = time;
  into.ctime = time;
  return into;
}

/**
 * The package takes milliseconds and divides them as unsigned (fuse-native.c, uint32s_to_timespec): a time
 * before 1970 would become the year 584 million, so it becomes 1970.
 */
const milliseconds = (attr: Attr): number =>
  Math.max(0, attr.mtime * 1000 + Math.floor(attr.mtimeNsec / 1e6));

/** What a directory entry carries: libfuse keeps the number and the type only. */
export function direntStat(ino: number, type: number): Fuse.Stat {
  const stat = newStat();
  stat.ino = ino;
  stat.mode = type << 12; // DT_* are the upper bits of S_IF*
  return stat;
}

/** As the direct transport does, as far as 32 bits go. */
export const statfsOf = (from: Statfs): Fuse.Statfs => ({
  bsize: from.blockSize,
  frsize: from.blockSize,
  blocks: Math.min(from.blocks, U32_MAX),
  files: U32_MAX,
  ffree: Math.max(0, U32_MAX - from.files),
  namemax: MAX_NAME,
});
