import { copyOf } from "./copy.ts";
import { readNumber, WIDE } from "./number.ts";

/**
 * The header block of an entry, 512 bytes. Source: POSIX pax "ustar Interchange Format", GNU tar `tar.h`.
 * v7 ends after LINK; what has no magic is read as v7.
 */
export const NAME = 0; // 100  bytes; a NUL ends it when it is shorter
export const MODE = 100; // 8  numbers: see number.ts
export const UID = 108; //  8
export const GID = 116; //  8
export const SIZE = 124; // 12
export const MTIME = 136; // 12 seconds
//       CHECKSUM 148      8  see header-block.ts
export const TYPE = 156; // 1
const LINK = 157; //      100  bytes, as NAME
export const MAGIC = 257; // 8  "ustar\0" and a version, or "ustar  \0" (GNU)
export const MAJOR = 329; // 8
export const MINOR = 337; // 8
const GNU_ATIME = 345; // 12  GNU only
const GNU_CTIME = 357; // 12
const PREFIX = 345; //    155  bytes, as NAME: ustar only, GNU keeps times and sparse maps here

/** A header has 512 bytes. */
export const headerType = (h: Uint8Array): number => h[TYPE] as number;

/** "ustar" and NUL, whatever the version. */
export const isUstar = (h: Uint8Array): boolean => hasMagic(h) && h[MAGIC + 5] === 0;

/** "ustar", two blanks and NUL. */
export const isGnu = (h: Uint8Array): boolean =>
  hasMagic(h) && h[MAGIC + 5] === 0x20 && h[MAGIC + 6] === 0x20 && h[MAGIC + 7] === 0;

const hasMagic = (h: Uint8Array): boolean =>
  h[MAGIC] === 0x75 &&
  h[MAGIC + 1] === 0x73 &&
  h[MAGIC + 2] === 0x74 &&
  h[MAGIC + 3] === 0x61 &&
  h[MAGIC + 4] === 0x72;

/** The name field, after the prefix field and a slash where there is one; a copy. */
export function headerName(h: Uint8Array): Uint8Array {
  const name = textEnd(h, NAME, 100);
  if (h[PREFIX] === 0 || !hasPrefix(h)) return copyOf(h, NAME, name);
  const prefix = textEnd(h, PREFIX, 155) - PREFIX;
  const path = new Uint8Array(prefix + 1 + name);
  path.set(h.subarray(PREFIX, PREFIX + prefix));
  path[prefix] = 0x2f;
  path.set(h.subarray(NAME, name), prefix + 1);
  return path;
}

/** Go before 1.8 wrote prefixes with GNU's magic, over the times that GNU tar has there; Go reads both. */
const hasPrefix = (h: Uint8Array): boolean =>
  isUstar(h) ||
  (isGnu(h) &&
    Number.isNaN(readNumber(h, GNU_ATIME, WIDE) + readNumber(h, GNU_CTIME, WIDE)) &&
    h.subarray(PREFIX, textEnd(h, PREFIX, 155)).every((byte) => byte < 0x80));

/** The link field; a copy. */
export function headerLink(h: Uint8Array): Uint8Array {
  const end = textEnd(h, LINK, 100);
  return copyOf(h, LINK, end);
}

/** Where the text at `at` ends: at its first NUL, or after `length` bytes. */
export function textEnd(b: Uint8Array, at: number, length: number): number {
  let end = at;
  while (end < at + length && b[end] !== 0) end++;
  return end;
}
