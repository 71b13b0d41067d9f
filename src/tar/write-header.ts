import * as header from "./header.ts";
import { BLOCK, CHECKSUM } from "./header-block.ts";
import { NARROW, WIDE } from "./number.ts";

/** Numbers that fit: uid and gid to 2^21 - 1, mtime and size to 2^33 - 1. */
export interface UstarFields {
  /** At most 100 characters of ASCII. */
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly typeflag: string;
  readonly devmajor?: number;
  readonly devminor?: number;
}

/**
 * The header of an entry that tar-stream cannot write: it has no body for a pax header that it did not make
 * itself, and six digits for a device number, which takes seven.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html (ustar Interchange Format)
 */
export function ustarHeader(fields: UstarFields): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  /** Digits and a NUL. */
  const octal = (at: number, width: number, value: number) => {
    const digits = value.toString(8).padStart(width - 1, "0");
    if (digits.length >= width) throw new RangeError(`${value} does not fit in ${width - 1} octal digits`);
    block.write(digits, at);
  };
  block.write(fields.name, header.NAME);
  octal(header.MODE, NARROW, fields.mode & 0o7777);
  octal(header.UID, NARROW, fields.uid);
  octal(header.GID, NARROW, fields.gid);
  octal(header.SIZE, WIDE, fields.size);
  octal(header.MTIME, WIDE, fields.mtime);
  block.write(fields.typeflag, header.TYPE);
  block.write("ustar\x0000", header.MAGIC);
  octal(header.MAJOR, NARROW, fields.devmajor ?? 0);
  octal(header.MINOR, NARROW, fields.devminor ?? 0);
  block.write(" ".repeat(NARROW), CHECKSUM);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM);
  return block;
}

/** Zeros from `length` to the end of its block. */
export const padding = (length: number): Uint8Array => new Uint8Array((BLOCK - (length % BLOCK)) % BLOCK);
