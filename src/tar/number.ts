import { showName } from "../bytes/name.ts";

/** Widths of numeric header fields in bytes. */
export const NARROW = 8;
export const WIDE = 12;

const SPACE = 0x20;
const TAB = 0x09;
const ZERO = 0x30;

const isBlank = (byte: number): boolean => byte === 0 || byte === SPACE || byte === TAB;

/** A byte of a field or value; 0 behind the end of `b`, as after any field's text. */
const byteAt = (b: Uint8Array, at: number): number => b[at] ?? 0;

/**
 * Reads a numeric header field: octal digits after blanks and NULs, ended by NUL, blank or the field's end; or base-256,
 * big-endian two's complement after the marker bit 0x80 (GNU, star, and all others since).
 *
 * AIX's tar begins some fields with a NUL; Go and GNU tar skip it, too. A field of blanks and NULs alone is 0: Python and
 * v7 writers leave them where nothing applies.
 *
 * @returns an integer, inexact (but never smaller in size) above 2^53; NaN for anything else
 */
export function readNumber(b: Uint8Array, at: number, width: number): number {
  if ((byteAt(b, at) & 0x80) !== 0) return base256(b, at, width);
  const end = at + width;
  let i = at;
  while (i < end && isBlank(byteAt(b, i))) i++;
  let value = 0;
  for (; i < end; i++) {
    const digit = byteAt(b, i) - ZERO;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  return i === end || isBlank(byteAt(b, i)) ? value : Number.NaN;
}

function base256(b: Uint8Array, at: number, width: number): number {
  // A negative number's bits are turned over, so that what is summed up stays exact near zero.
  const flip = (byteAt(b, at) & 0x40) === 0 ? 0 : 0xff;
  let value = (byteAt(b, at) ^ flip) & 0x3f;
  for (let i = at + 1; i < at + width; i++) value = value * 256 + (byteAt(b, i) ^ flip);
  return flip === 0 ? value : -value - 1;
}

/**
 * Reads the decimal digits of `b[from, to)`.
 *
 * @returns an integer, inexact above 2^53; NaN when there are no digits or something else
 */
export function readDecimal(b: Uint8Array, from: number, to: number): number {
  if (from >= to) return Number.NaN;
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = byteAt(b, i) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** A field's bytes for a message, without what pads them. */
export function showField(b: Uint8Array, at: number, width: number): string {
  let end = at + width;
  while (end > at && (b[end - 1] === 0 || b[end - 1] === SPACE)) end--;
  return `"${showName(b.subarray(at, end))}"`;
}
