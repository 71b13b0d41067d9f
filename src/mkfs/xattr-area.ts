import { compareBytes, showName } from "../bytes/name.ts";
import { BODY_SIZE, ENTRY_SIZE, xattrPrefixOf } from "../erofs/xattr.ts";
import type { Pool } from "./pool.ts";

/** A full name (`user.x`) and its value, as bytes. */
export interface NamedValue {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

const MAX_VALUE = 65_535;
/** The inode counts the area in words, in 16 bits. */
const MAX_AREA = BODY_SIZE + 4 * (65_535 - 1);

/**
 * Encodes the xattr area of an inode into the pool: inline entries only, sorted by name, so that the same
 * attributes make the same bytes.
 *
 * @param fail throws, given what is wrong
 * @returns bytes of the area at `at`, 0 when there is nothing to keep
 */
export function putXattrs(
  pool: Pool,
  xattrs: readonly NamedValue[],
  fail: (problem: string) => never,
): { at: number; size: number } {
  if (xattrs.length === 0) return { at: 0, size: 0 };
  const sorted = [...xattrs].sort((a, b) => compareBytes(a.name, 0, a.name.length, b.name, 0, b.name.length));
  const entries = sorted.map(({ name, value }) => {
    const shown = () => `extended attribute "${showName(name)}"`;
    if (name.length > 255) fail(`${shown()}: its name has ${name.length} bytes, want at most 255`);
    if (value.length > MAX_VALUE)
      fail(`${shown()}: its value has ${value.length} bytes, want at most ${MAX_VALUE}`);
    const prefix = xattrPrefixOf(name);
    if (prefix === undefined) fail(`${shown()}: EROFS has no such namespace`);
    return { ...prefix, name, value };
  });
  const bytes = (e: (typeof entries)[number]) =>
    (ENTRY_SIZE + e.name.length - e.length + e.value.length + 3) & ~3;
  const size = entries.reduce((sum, e) => sum + bytes(e), BODY_SIZE);
  if (size > MAX_AREA) fail(`extended attributes of ${size} bytes, want at most ${MAX_AREA}`);
  const at = pool.reserve(size);
  const out = pool.bytes;
  let to = at + BODY_SIZE;
  for (const e of entries) {
    out[to] = e.name.length - e.length;
    out[to + 1] = e.index;
    out[to + 2] = e.value.length & 0xff;
    out[to + 3] = e.value.length >> 8;
    out.set(e.name.subarray(e.length), to + ENTRY_SIZE);
    out.set(e.value, to + ENTRY_SIZE + e.name.length - e.length);
    to += bytes(e);
  }
  return { at, size };
}
