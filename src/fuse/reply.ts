import { putS64, putU64 } from "../bytes/u64.ts";
import type { Attr } from "../vfs/file-system.ts";
import { BLKSIZE, VALID } from "../vfs/kernel-policy.ts";
import { ATTR, ENTRY } from "./wire.ts";

/** Writes `struct fuse_attr`. */
export function putAttr(v: DataView, at: number, attr: Attr): void {
  putU64(v, at + ATTR.INO, attr.ino);
  putU64(v, at + ATTR.SIZE, attr.size);
  putU64(v, at + ATTR.BLOCKS, attr.blocks);
  putTime(v, at + ATTR.ATIME, attr);
  putTime(v, at + ATTR.MTIME, attr);
  putTime(v, at + ATTR.CTIME, attr);
  v.setUint32(at + ATTR.ATIME_NSEC, attr.mtimeNsec, true);
  v.setUint32(at + ATTR.MTIME_NSEC, attr.mtimeNsec, true);
  v.setUint32(at + ATTR.CTIME_NSEC, attr.mtimeNsec, true);
  v.setUint32(at + ATTR.MODE, attr.mode, true);
  v.setUint32(at + ATTR.NLINK, attr.nlink, true);
  v.setUint32(at + ATTR.UID, attr.uid, true);
  v.setUint32(at + ATTR.GID, attr.gid, true);
  v.setUint32(at + ATTR.RDEV, attr.rdev, true);
  v.setUint32(at + ATTR.BLKSIZE, BLKSIZE, true);
  v.setUint32(at + ATTR.FLAGS, 0, true);
}

function putTime(v: DataView, at: number, attr: Attr): void {
  if (Number.isSafeInteger(attr.mtime)) putS64(v, at, attr.mtime);
  else {
    v.setUint32(at, attr.mtimeLow, true);
    v.setInt32(at + 4, attr.mtimeHigh, true);
  }
}

/** Writes `struct fuse_entry_out`; node 0 says "does not exist, and you may remember that". */
export function putEntry(v: DataView, at: number, node: number, attr: Attr): void {
  putU64(v, at + ENTRY.NODEID, node);
  putU64(v, at + ENTRY.GENERATION, attr.generation);
  putValid(v, at + ENTRY.ENTRY_VALID);
  putValid(v, at + ENTRY.ATTR_VALID);
  putU64(v, at + ENTRY.ENTRY_VALID_NSEC, 0);
  putAttr(v, at + ENTRY.ATTR, attr);
}

/** Writes a u64 of seconds for which an answer stays true. */
export function putValid(v: DataView, at: number): void {
  v.setUint32(at, VALID, true);
  v.setUint32(at + 4, 0, true);
}
