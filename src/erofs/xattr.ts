import { FormatError } from "../bytes/errors.ts";
import { fit16, fit8 } from "../bytes/fit.ts";
import { alignUp } from "../bytes/u64.ts";
import type { Superblock } from "./superblock.ts";

/**
 * Extended attributes: `struct erofs_xattr_ibody_header` (12 bytes) behind the inode, then shared ids, then
 * entries. Source: linux/fs/erofs/erofs_fs.h, linux/fs/erofs/xattr.c.
 */
export const XATTR_HEADER_SIZE = 12;
const SHARED_COUNT = 4; // u8
export const XATTR_ENTRY_SIZE = 4;
const NAME_LEN = 0; //     u8   of the part after the prefix
const NAME_INDEX = 1; //   u8   bit 7: a long prefix
const VALUE_SIZE = 2; //   u16

export const xattrShared = (v: DataView, body: number) => v.getUint8(body + SHARED_COUNT);
export const xattrNameLen = (v: DataView, at: number) => v.getUint8(at + NAME_LEN);
export const xattrNameIndex = (v: DataView, at: number) => v.getUint8(at + NAME_INDEX);
export const xattrValueSize = (v: DataView, at: number) => v.getUint16(at + VALUE_SIZE, true);

/** Bytes that an entry takes, padding included. */
export const xattrBytesOf = (nameLength: number, valueSize: number) =>
  (XATTR_ENTRY_SIZE + nameLength + valueSize + 3) & ~3;
export const xattrEntryBytes = (v: DataView, at: number) =>
  xattrBytesOf(xattrNameLen(v, at), xattrValueSize(v, at));

/** Byte offset of the first inline entry, where the area has any: behind the ids of shared ones. */
export const inlineXattrAt = (v: DataView, body: number) =>
  body + XATTR_HEADER_SIZE + 4 * xattrShared(v, body);

/** The id of an inode's shared entry `i`: where it lies behind shared xattr 0, in units of 4 bytes. */
export const sharedXattrId = (v: DataView, body: number, i: number) =>
  v.getUint32(body + XATTR_HEADER_SIZE + 4 * i, true);

/** @param xattrAt byte offset of shared xattr 0 */
export const sharedXattrAt = (v: DataView, body: number, i: number, xattrAt: number) =>
  xattrAt + 4 * sharedXattrId(v, body, i);

/** Writes an entry over zeros. @returns the bytes that it takes */
export function putXattr(
  out: Uint8Array,
  at: number,
  index: number,
  rest: Uint8Array,
  value: Uint8Array,
): number {
  const size = fit16(value.length);
  out[at + NAME_LEN] = fit8(rest.length);
  out[at + NAME_INDEX] = fit8(index);
  out[at + VALUE_SIZE] = size & 0xff;
  out[at + VALUE_SIZE + 1] = size >> 8;
  out.set(rest, at + XATTR_ENTRY_SIZE);
  out.set(value, at + XATTR_ENTRY_SIZE + rest.length);
  return xattrBytesOf(rest.length, value.length);
}

export const INDEX_ACL_ACCESS = 2;
export const INDEX_ACL_DEFAULT = 3;
const LONG = 0x80;
/** Longest name that Linux has for an xattr, bytes. */
export const MAX_NAME = 255;

/** Index 5 (`lustre.`) has no handler in the kernel's EROFS either: it is neither listed nor found. */
const BASE: readonly (string | undefined)[] = [
  undefined,
  "user.",
  "system.posix_acl_access",
  "system.posix_acl_default",
  "trusted.",
  undefined,
  "security.",
];

/** Whole names, which have no rest. */
const isWhole = (index: number) => index === INDEX_ACL_ACCESS || index === INDEX_ACL_DEFAULT;

const baseBytes = BASE.map((name) => (name === undefined ? undefined : new TextEncoder().encode(name)));

/** No prefix index: EROFS has no such namespace; the name is a namespace and nothing else. */
export const NO_NAMESPACE = -1;
export const NO_REST = -2;

/** The prefix index of the full xattr name `name[at, at + length)`, NO_NAMESPACE or NO_REST. Makes no object. */
export function xattrIndexOf(name: Uint8Array, at: number, length: number): number {
  for (let index = 1; index < baseBytes.length; index++) {
    const prefix = baseBytes[index];
    if (prefix === undefined || !beginsWith(name, at, length, prefix)) continue;
    if (isWhole(index) && length > prefix.length) continue;
    return isWhole(index) || length > prefix.length ? index : NO_REST;
  }
  return NO_NAMESPACE;
}

function beginsWith(name: Uint8Array, at: number, length: number, prefix: Uint8Array): boolean {
  if (length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (name[at + i] !== prefix[i]) return false;
  return true;
}

/** The namespace that a prefix index stands for, undefined when it has no meaning. */
export const xattrPrefix = (index: number): Uint8Array | undefined => baseBytes[index];

/** Bytes of a full name that its prefix index stands for. */
export const xattrPrefixBytes = (index: number): number => baseBytes[index]?.length ?? 0;

/** Name prefixes by `name_index` (0…255); undefined where the index has no meaning. */
export type Prefixes = (Uint8Array | undefined)[];

/**
 * Reads the long prefixes, records of `size u16, base_index u8, infix[size - 1]` padded to 4 bytes.
 *
 * @param need makes a byte range of `view` readable, or throws
 * @throws FormatError if a record is outside the image or makes no name
 */
export function readPrefixes(
  view: DataView,
  sb: Superblock,
  file: string,
  need: (at: number, length: number) => void,
): Prefixes {
  const encoder = new TextEncoder();
  const prefixes: Prefixes = new Array(256).fill(undefined);
  BASE.forEach((name, i) => {
    if (name !== undefined) prefixes[i] = encoder.encode(name);
  });
  let at = sb.prefixesAt;
  for (let i = 0; i < sb.prefixCount; i++) {
    const bad = (problem: string) => new FormatError(`long xattr prefix ${i}: ${problem}`, { file, at });
    need(at, 4);
    const size = view.getUint16(at, true);
    if (size < 1 || size > MAX_NAME) throw bad(`record of ${size} bytes, want 1…${MAX_NAME}`);
    need(at, 2 + size);
    const base = prefixes[view.getUint8(at + 2) & ~LONG];
    if (base && i < LONG) {
      const whole = new Uint8Array(base.length + size - 1);
      whole.set(base);
      whole.set(new Uint8Array(view.buffer, view.byteOffset + at + 3, size - 1), base.length);
      if (whole.includes(0)) throw bad("it holds a NUL");
      prefixes[LONG | i] = whole;
    }
    at = alignUp(at + 2 + size, 4);
  }
  return prefixes;
}
