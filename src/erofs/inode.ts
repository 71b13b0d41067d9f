import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { put16, put32, put64, put8, putSigned64 } from "../bytes/fit.ts";
import { s64, TWO_32, u64 } from "../bytes/u64.ts";
import { XATTR_HEADER_SIZE } from "./xattr.ts";

/**
 * `struct erofs_inode_compact` (32 bytes) and `struct erofs_inode_extended` (64 bytes), little-endian, read
 * in place. Source: linux/fs/erofs/erofs_fs.h, linux/fs/erofs/inode.c.
 */
export const INODE_SLOT_SIZE = 32; // a nid counts these from the start of the inode table
const FORMAT = 0; //        u16  bit 0 extended, bits 1…3 layout, bit 4 nlink-is-1 / dot-omitted
const XATTR_ICOUNT = 2; //  u16  0, or (bytes of xattr area - XATTR_HEADER_SIZE) / 4 + 1
const MODE = 4; //          u16  S_IFMT | permission bits
const NB = 6; //            u16  compact: nlink; extended and nlink-is-1: start block, bits 32…47
const SIZE = 8; //          u32 / u64
const U = 16; //            u32  start block | rdev | chunk format (u16)
const INO = 20; //          u32  a running number for 32-bit users; st_ino is the nid
const C_MTIME = 12; //      u32  seconds after the superblock's epoch
const C_UID = 24; //        u16
const C_GID = 26; //        u16
const E_UID = 24; //        u32
const E_GID = 28; //        u32
const E_MTIME = 32; //      s64
const E_MTIME_NSEC = 40; // u32
const E_NLINK = 44; //      u32
const E_IMPLICIT = 48; //    u8   reserved in EROFS, and read by neither the kernel nor nydus: 1 says "no entry named it"

export const INODE_COMPACT = 32;
export const INODE_EXTENDED = 64;

export const FLAT_PLAIN = 0;
export const FLAT_INLINE = 2;
export const CHUNK_BASED = 4;
/** A start block of all ones means "no data: a hole". */
export const NULL_BLOCK = 0xffff_ffff;
/** All format bits the reader knows. */
export const FORMAT_KNOWN = 0x1f;

export const inodeFormat = (v: DataView, at: number) => v.getUint16(at + FORMAT, true);
export const inodeIsExtended = (v: DataView, at: number) => (v.getUint16(at + FORMAT, true) & 1) !== 0;
export const inodeLayout = (v: DataView, at: number) => (v.getUint16(at + FORMAT, true) >> 1) & 7;
/** Directories: `.` is not on disk. Others, compact: nlink is 1 and its field holds high block bits. */
export const inodeBit4 = (v: DataView, at: number) => (v.getUint16(at + FORMAT, true) & 0x10) !== 0;
export const inodeMode = (v: DataView, at: number) => v.getUint16(at + MODE, true);
export const inodeIno = (v: DataView, at: number) => v.getUint32(at + INO, true);
export const inodeRdev = (v: DataView, at: number) => v.getUint32(at + U, true);
export const inodeChunkFormat = (v: DataView, at: number) => v.getUint16(at + U, true);

/** Bytes of the inode proper. */
export const inodeBytes = (v: DataView, at: number) =>
  inodeIsExtended(v, at) ? INODE_EXTENDED : INODE_COMPACT;

/** Bytes of the xattr area behind the inode. */
export function inodeXattrBytes(v: DataView, at: number): number {
  const icount = v.getUint16(at + XATTR_ICOUNT, true);
  return icount === 0 ? 0 : XATTR_HEADER_SIZE + 4 * (icount - 1);
}

/** What an inode can have: it counts the area in words, in 16 bits. */
export const MAX_XATTR_BYTES = XATTR_HEADER_SIZE + 4 * (0xffff - 1);

export const inodeSize = (v: DataView, at: number): number =>
  inodeIsExtended(v, at) ? u64(v, at + SIZE) : v.getUint32(at + SIZE, true);

export const inodeUid = (v: DataView, at: number): number =>
  inodeIsExtended(v, at) ? v.getUint32(at + E_UID, true) : v.getUint16(at + C_UID, true);

export const inodeGid = (v: DataView, at: number): number =>
  inodeIsExtended(v, at) ? v.getUint32(at + E_GID, true) : v.getUint16(at + C_GID, true);

/** Whether a compact inode has no nlink field: it is 1, and the field holds high block bits. */
const isSingle = (v: DataView, at: number): boolean =>
  inodeBit4(v, at) && (inodeMode(v, at) & S_IFMT) !== S_IFDIR;

export function inodeNlink(v: DataView, at: number): number {
  if (inodeIsExtended(v, at)) return v.getUint32(at + E_NLINK, true);
  return isSingle(v, at) ? 1 : v.getUint16(at + NB, true);
}

/** Seconds; `epoch` comes from the superblock and matters to compact inodes only. */
export const inodeMtime = (v: DataView, at: number, epoch: number): number =>
  inodeIsExtended(v, at) ? s64(v, at + E_MTIME) : epoch + v.getUint32(at + C_MTIME, true);

/** Its two halves, of an extended inode: a number has not all bits of those beyond 2^53. */
export const inodeMtimeLow = (v: DataView, at: number): number => v.getUint32(at + E_MTIME, true);
export const inodeMtimeHigh = (v: DataView, at: number): number => v.getInt32(at + E_MTIME + 4, true);

export const inodeMtimeNsec = (v: DataView, at: number, fixedNsec: number): number =>
  inodeIsExtended(v, at) ? v.getUint32(at + E_MTIME_NSEC, true) : fixedNsec;

/** First block of flat data, or -1 for a hole (all ones under the width that this inode has). */
export function inodeStartBlock(v: DataView, at: number): number {
  const low = v.getUint32(at + U, true);
  const wide = inodeIsExtended(v, at) || isSingle(v, at);
  if (!wide) return low === NULL_BLOCK ? -1 : low;
  const high = v.getUint16(at + NB, true);
  return low === NULL_BLOCK && high === 0xffff ? -1 : low + high * TWO_32;
}

/** A directory that its layer's tar did not name: what it shows are defaults, and a lower layer's attributes win. */
export const inodeIsImplicit = (v: DataView, at: number): boolean =>
  inodeIsExtended(v, at) && v.getUint8(at + E_IMPLICIT) === 1;

/** The fields of an extended inode; units as on disk. */
export interface InodeFields {
  layout: number;
  /** Bytes of the xattr area. */
  xattrBytes: number;
  mode: number;
  size: number;
  /** Start block, rdev or chunk format. */
  u: number;
  ino: number;
  uid: number;
  gid: number;
  mtime: number;
  mtimeNsec: number;
  nlink: number;
  isImplicit: boolean;
}

/** Writes an extended inode over zeros. */
export function putInode(v: DataView, at: number, f: InodeFields): void {
  put16(v, at + FORMAT, 1 | (f.layout << 1));
  put16(v, at + XATTR_ICOUNT, f.xattrBytes === 0 ? 0 : (f.xattrBytes - XATTR_HEADER_SIZE) / 4 + 1);
  put16(v, at + MODE, f.mode);
  put64(v, at + SIZE, f.size);
  put32(v, at + U, f.u);
  put32(v, at + INO, f.ino);
  put32(v, at + E_UID, f.uid);
  put32(v, at + E_GID, f.gid);
  putSigned64(v, at + E_MTIME, f.mtime);
  put32(v, at + E_MTIME_NSEC, f.mtimeNsec);
  put32(v, at + E_NLINK, f.nlink);
  put8(v, at + E_IMPLICIT, f.isImplicit ? 1 : 0);
}
