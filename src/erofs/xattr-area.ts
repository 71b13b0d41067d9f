import { compareBytes, showName } from "../bytes/name.ts";
import type { Image } from "./image.ts";
import { inodeBytes, inodeXattrBytes, MAX_XATTR_BYTES } from "./inode.ts";
import * as xattr from "./xattr.ts";

/** An extended attribute, its name in full (`user.x`). */
export interface NamedValue {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

const MAX_VALUE = 65_535;
const NOTHING = new Uint8Array(0);

/**
 * The xattrs of a checked inode as the kernel shows them: inline entries first, then shared ones; of several with one
 * name the first, which is the one that `getxattr` finds. Entries whose prefix has no meaning have no name.
 *
 * @param at byte offset of the inode
 * @returns copies
 */
export function readXattrs({ v, bytes, handle }: Image, at: number): NamedValue[] {
  const area = inodeXattrBytes(v, at);
  if (area === 0) return [];
  const found = new Map<string, NamedValue>();
  const add = (entry: number): void => {
    const prefix = handle.prefixes[xattr.xattrNameIndex(v, entry)];
    if (prefix === undefined) return;
    const rest = entry + xattr.XATTR_ENTRY_SIZE;
    const valueAt = rest + xattr.xattrNameLen(v, entry);
    const name = new Uint8Array(prefix.length + valueAt - rest);
    name.set(prefix);
    name.set(bytes.subarray(rest, valueAt), prefix.length);
    const key = Buffer.from(name).toString("latin1");
    if (found.has(key)) return;
    found.set(key, { name, value: bytes.slice(valueAt, valueAt + xattr.xattrValueSize(v, entry)) });
  };
  const body = at + inodeBytes(v, at);
  const end = body + area;
  for (let entry = xattr.inlineXattrAt(v, body); entry < end; entry += xattr.xattrEntryBytes(v, entry))
    add(entry);
  for (let i = 0; i < xattr.xattrShared(v, body); i++) add(xattr.sharedXattrAt(v, body, i, handle.xattrAt));
  return [...found.values()];
}

/**
 * Reads back what `xattrArea` encodes.
 *
 * @param fail throws, given what is wrong
 */
export function readArea(
  v: DataView,
  at: number,
  size: number,
  fail: (problem: string) => never,
): NamedValue[] {
  const found: NamedValue[] = [];
  const end = at + size;
  const part = (from: number, length: number) =>
    new Uint8Array(v.buffer, v.byteOffset + from, length).slice();
  for (let entry = at + xattr.XATTR_HEADER_SIZE; entry < end; entry += xattr.xattrEntryBytes(v, entry)) {
    const rest = entry + xattr.XATTR_ENTRY_SIZE;
    if (rest > end || entry + xattr.xattrEntryBytes(v, entry) > end) fail("an extended attribute is cut off");
    const prefix = xattr.xattrPrefix(xattr.xattrNameIndex(v, entry));
    if (prefix === undefined) return fail("an extended attribute of no namespace");
    const valueAt = rest + xattr.xattrNameLen(v, entry);
    const name = Buffer.concat([prefix, part(rest, valueAt - rest)]);
    found.push({ name, value: part(valueAt, xattr.xattrValueSize(v, entry)) });
  }
  return found;
}

/**
 * Encodes the xattr area of an inode: inline entries only, sorted by name, so that the same attributes make the same
 * bytes.
 *
 * @param fail throws, given what is wrong
 * @returns no bytes when there are no attributes
 */
export function xattrArea(xattrs: readonly NamedValue[], fail: (problem: string) => never): Uint8Array {
  if (xattrs.length === 0) return NOTHING;
  const sorted = [...xattrs].sort((a, b) => compareBytes(a.name, 0, a.name.length, b.name, 0, b.name.length));
  const entries = sorted.map(({ name, value }) => {
    const shown = () => `extended attribute "${showName(name)}"`;
    if (name.length > xattr.MAX_NAME)
      fail(`${shown()}: its name has ${name.length} bytes, want at most ${xattr.MAX_NAME}`);
    if (value.length > MAX_VALUE)
      fail(`${shown()}: its value has ${value.length} bytes, want at most ${MAX_VALUE}`);
    const index = xattr.xattrIndexOf(name, 0, name.length);
    if (index < 0) fail(`${shown()}: EROFS has no such namespace`);
    return { index, rest: name.subarray(xattr.xattrPrefixBytes(index)), value };
  });
  const size = entries.reduce(
    (sum, { rest, value }) => sum + xattr.xattrBytesOf(rest.length, value.length),
    xattr.XATTR_HEADER_SIZE,
  );
  if (size > MAX_XATTR_BYTES) fail(`extended attributes of ${size} bytes, want at most ${MAX_XATTR_BYTES}`);
  const area = new Uint8Array(size);
  let at = xattr.XATTR_HEADER_SIZE;
  for (const { index, rest, value } of entries) at += xattr.putXattr(area, at, index, rest, value);
  return area;
}
