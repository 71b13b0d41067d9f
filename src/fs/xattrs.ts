import { EINVAL, ENODATA, EOPNOTSUPP, ERANGE } from "../bytes/errno.ts";
import type { Image } from "../erofs/image.ts";
import { inodeBytes, inodeXattrBytes } from "../erofs/inode.ts";
import * as xattr from "../erofs/xattr.ts";

/**
 * Xattr calls answered from the image's bytes: inline entries first, then shared ones, as the kernel does.
 * `at` is an inode's byte offset throughout; names are full names (`user.x`), never decoded. Entries were found to lie in
 * the image when it was checked: their bytes are read as numbers.
 */

/** @returns the value's length, -ERANGE when `room` is neither 0 nor enough, or as `nameProblem` and -ENODATA */
export function getxattr(
  image: Image,
  at: number,
  name: Uint8Array,
  nameAt: number,
  nameLength: number,
  out: Uint8Array,
  outAt: number,
  room: number,
): number {
  const problem = nameProblem(name, nameAt, nameLength);
  if (problem < 0) return problem;
  const { v } = image;
  const area = inodeXattrBytes(v, at);
  if (area === 0) return -ENODATA;
  const body = at + inodeBytes(v, at);
  const shared = xattr.xattrShared(v, body);
  const end = body + area;
  for (let entry = xattr.inlineXattrAt(v, body); entry < end; entry += xattr.xattrEntryBytes(v, entry))
    if (isNamed(image, entry, name, nameAt, nameLength)) return value(image, entry, out, outAt, room);
  for (let i = 0; i < shared; i++) {
    const entry = sharedAt(image, body, i);
    if (isNamed(image, entry, name, nameAt, nameLength)) return value(image, entry, out, outAt, room);
  }
  return -ENODATA;
}

/** @returns bytes of all names with their NULs, or -ERANGE when `room` is neither 0 nor enough */
export function listxattr(
  image: Image,
  at: number,
  out: Uint8Array,
  outAt: number,
  room: number,
  privileged: boolean,
): number {
  const { v } = image;
  const area = inodeXattrBytes(v, at);
  if (area === 0) return 0;
  const body = at + inodeBytes(v, at);
  const shared = xattr.xattrShared(v, body);
  const end = body + area;
  let done = 0;
  for (let entry = xattr.inlineXattrAt(v, body); entry < end; entry += xattr.xattrEntryBytes(v, entry)) {
    done = putName(image, entry, out, outAt, room, done, privileged);
    if (done < 0) return done;
  }
  for (let i = 0; i < shared; i++) {
    done = putName(image, sharedAt(image, body, i), out, outAt, room, done, privileged);
    if (done < 0) return done;
  }
  return done;
}

/** What the kernel says of a name before EROFS is asked (fs/xattr.c, xattr_resolve_name); FUSE passes every name on. */
function nameProblem(name: Uint8Array, at: number, length: number): number {
  const index = xattr.xattrIndexOf(name, at, length);
  return index === xattr.NO_NAMESPACE ? -EOPNOTSUPP : index === xattr.NO_REST ? -EINVAL : 0;
}

const sharedAt = (image: Image, body: number, i: number): number =>
  xattr.sharedXattrAt(image.v, body, i, image.handle.xattrAt);

function isNamed(image: Image, entry: number, name: Uint8Array, nameAt: number, length: number): boolean {
  const { v, bytes } = image;
  const prefix = image.handle.prefixes[xattr.xattrNameIndex(v, entry)];
  if (prefix === undefined || prefix.length + xattr.xattrNameLen(v, entry) !== length) return false;
  for (let i = 0; i < prefix.length; i++) if (name[nameAt + i] !== prefix[i]) return false;
  const rest = entry + xattr.XATTR_ENTRY_SIZE - prefix.length;
  for (let i = prefix.length; i < length; i++) if (name[nameAt + i] !== bytes[rest + i]) return false;
  return true;
}

function value(image: Image, entry: number, out: Uint8Array, at: number, room: number): number {
  const size = xattr.xattrValueSize(image.v, entry);
  if (room === 0) return size;
  if (size > room) return -ERANGE;
  const from = entry + xattr.XATTR_ENTRY_SIZE + xattr.xattrNameLen(image.v, entry);
  for (let i = 0; i < size; i++) out[at + i] = image.bytes[from + i] as number;
  return size;
}

function putName(
  image: Image,
  entry: number,
  out: Uint8Array,
  at: number,
  room: number,
  done: number,
  privileged: boolean,
): number {
  const { v, bytes, handle } = image;
  const index = xattr.xattrNameIndex(v, entry);
  const prefix = handle.prefixes[index];
  if (prefix === undefined || (!privileged && isTrusted(prefix))) return done;
  const rest = xattr.xattrNameLen(v, entry);
  const total = done + prefix.length + rest + 1;
  if (room === 0) return total;
  if (total > room) return -ERANGE;
  let to = at + done;
  for (let i = 0; i < prefix.length; i++) out[to++] = prefix[i] as number;
  for (let i = 0; i < rest; i++) out[to++] = bytes[entry + xattr.XATTR_ENTRY_SIZE + i] as number;
  out[to] = 0;
  return total;
}

/** `trusted.` and long prefixes built on it. */
const isTrusted = (prefix: Uint8Array): boolean => prefix[0] === 0x74 && prefix[1] === 0x72;
