import { AT_FDCWD, pathArgument } from "./path-argument.ts";
import { systemCall } from "./system-call.ts";

const AT_SYMLINK_NOFOLLOW = 0x100;
const TIMESPEC = 16;
/** Of one file, XATTR_LIST_MAX. */
const MAX_LIST = 64 << 10;

/** Sets an extended attribute, of a symlink itself. @param name in full: `user.x` */
export const setXattr = (path: Uint8Array, name: Uint8Array, value: Uint8Array): void => {
  const about = `${path}, ${name}`;
  systemCall("lsetxattr", about, pathArgument(path), pathArgument(name), value, value.length, 0);
};

/** An extended attribute and its name in full. */
export interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** The extended attributes of a file, or of a symlink itself, that this process may see. */
export function xattrsOf(path: Uint8Array): Xattr[] {
  const at = pathArgument(path);
  const list = Buffer.alloc(MAX_LIST);
  const names = list.subarray(0, systemCall("llistxattr", `${path}`, at, list, list.length));
  const found: Xattr[] = [];
  for (let from = 0; from < names.length; ) {
    const end = names.indexOf(0, from);
    const name = names.subarray(from, end);
    const value = Buffer.alloc(MAX_LIST);
    const size = systemCall("lgetxattr", `${path}, ${name}`, at, pathArgument(name), value, value.length);
    found.push({ name, value: value.subarray(0, size) });
    from = end + 1;
  }
  return found;
}

/**
 * Sets when a file, or a symlink itself, was changed and read.
 *
 * @param seconds may be negative
 */
export function setTimes(path: Uint8Array, seconds: number, nanoseconds: number): void {
  const times = new Uint8Array(2 * TIMESPEC);
  const v = new DataView(times.buffer);
  for (const at of [0, TIMESPEC]) {
    v.setBigInt64(at, BigInt(seconds), true);
    v.setBigInt64(at + 8, BigInt(nanoseconds), true);
  }
  systemCall("utimensat", `${path}`, AT_FDCWD, pathArgument(path), times, AT_SYMLINK_NOFOLLOW);
}

/** Waits until the disk has everything that was written to a file system. @param fd of something in it */
export const syncFileSystem = (fd: number): void => {
  systemCall("syncfs", `${fd}`, fd);
};
