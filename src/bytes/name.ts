import { escapeControlChars } from "./escape-control-chars.ts";

/**
 * File names are bytes: any but NUL and '/', compared as `memcmp` does. A string is made of them only for
 * messages.
 */

/**
 * memcmp order of two byte ranges, the shorter first when one is a prefix of the other. That the ranges lie inside is
 * the caller's to know: this runs for each step of a lookup.
 */
export function compareBytes(
  a: Uint8Array,
  aAt: number,
  aLength: number,
  b: Uint8Array,
  bAt: number,
  bLength: number,
): number {
  const n = Math.min(aLength, bLength);
  for (let i = 0; i < n; i++) {
    const d = (a[aAt + i] as number) - (b[bAt + i] as number);
    if (d !== 0) return d;
  }
  return aLength - bLength;
}

export const DOT = 0x2e;
export const SLASH = 0x2f;

/** Whether a name is `.` or `..`. */
export const isDots = (bytes: Uint8Array, at: number, length: number): boolean =>
  bytes[at] === DOT && (length === 1 || (length === 2 && bytes[at + 1] === DOT));

/** Where the name that begins at `at` of a path ends: at a slash, or at `end`. */
export function nameEnd(path: Uint8Array, at: number, end: number): number {
  let to = at;
  while (to < end && path[to] !== SLASH) to++;
  return to;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** True when the bytes are well-formed UTF-8. */
export function isUtf8(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** A name for a message: as it is when it is UTF-8 that can be seen, else all but ASCII as `\xNN`. */
export function showName(bytes: Uint8Array): string {
  const plain = Uint8Array.from(bytes);
  const ascii = (b: number) =>
    b >= 0x20 && b < 0x7f && b !== 0x5c ? String.fromCharCode(b) : `\\x${b.toString(16).padStart(2, "0")}`;
  if (isUtf8(plain)) {
    const text = decoder.decode(plain);
    if (escapeControlChars(text) === text && !/\\x[0-9a-f]{2}/.test(text)) return text;
  }
  return Array.from(plain, ascii).join("");
}
