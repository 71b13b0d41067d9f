import { dtOfMode, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK } from "../bytes/errno.ts";
import { put16, put32, put64, put8 } from "../bytes/fit.ts";
import { TWO_32 } from "../bytes/u64.ts";

/**
 * `struct erofs_dirent`, 12 bytes; a directory block is an array of them, then their names back to back.
 * Every block stands for itself. Source: linux/fs/erofs/erofs_fs.h, linux/fs/erofs/dir.c.
 */
export const DIRENT_SIZE = 12;
const NID = 0; //      u64
const NAME_OFF = 8; // u16  from the start of the block
const TYPE = 10; //    u8

export const direntNid = (v: DataView, at: number) =>
  v.getUint32(at + NID, true) + v.getUint32(at + NID + 4, true) * TWO_32;
export const direntNameOff = (v: DataView, at: number) => v.getUint16(at + NAME_OFF, true);
export const direntType = (v: DataView, at: number) => v.getUint8(at + TYPE);

/** Writes an entry over zeros; its name goes elsewhere. */
export function putDirent(v: DataView, at: number, nid: number, nameOff: number, type: number): void {
  put64(v, at + NID, nid);
  put16(v, at + NAME_OFF, nameOff);
  put8(v, at + TYPE, type);
}

/** A nid outside every image: it makes an entry that was found wrong lead nowhere. */
const NID_NOWHERE = 0xffff_ffff;

/** Overwrites nid and type of an entry in memory: it stays listed, but what it named is not reached by it. */
export function poisonDirent(v: DataView, at: number): void {
  put32(v, at + NID, NID_NOWHERE);
  put32(v, at + NID + 4, 0);
  put8(v, at + TYPE, 0);
}

/** Entries in the block at `block`: the first name begins where the array ends. */
export const direntCount = (v: DataView, block: number) => (direntNameOff(v, block) / DIRENT_SIZE) | 0;

/** File type on disk (EROFS_FT_*) to the DT_* that `getdents` shows. */
export const DT_OF_TYPE = Uint8Array.from(
  [0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK],
  dtOfMode,
);

const TYPE_OF_DT = new Uint8Array(16);
DT_OF_TYPE.forEach((dt, type) => {
  TYPE_OF_DT[dt] = type;
});

/** EROFS_FT_* of a mode, 0 when it has no known type. */
export const typeOfMode = (mode: number) => TYPE_OF_DT[dtOfMode(mode)];

/**
 * Length of name `k` of `count` in the block at `block`, which ends `length` bytes later. The last name
 * ends at a NUL or at the end of the block.
 */
export function nameLength(
  v: DataView,
  bytes: Uint8Array,
  block: number,
  length: number,
  k: number,
  count: number,
): number {
  const from = direntNameOff(v, block + k * DIRENT_SIZE);
  if (k + 1 < count) return direntNameOff(v, block + (k + 1) * DIRENT_SIZE) - from;
  let end = from;
  while (end < length && bytes[block + end] !== 0) end++;
  return end - from;
}
