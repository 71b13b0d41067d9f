/** A ustar header, 512 bytes. Source: POSIX pax, "ustar Interchange Format". */
const BLOCK = 512;
const NAME = 0; //      100 bytes
const MODE = 100; //    8, octal digits and a NUL, as the others
const UID = 108; //     8
const GID = 116; //     8
const SIZE = 124; //    12
const MTIME = 136; //   12
const CHECKSUM = 148; // 8: six digits, NUL, space; spaces while it is summed up
const TYPE = 156; //    1
const MAGIC = 257; //   "ustar\0" "00"
const MAJOR = 329; //   8
const MINOR = 337; //   8

/** Numbers that fit: uid and gid to 2^21 - 1, mtime and size to 2^33 - 1. */
export interface HeaderFields {
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
 */
export function tarHeader(fields: HeaderFields): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  const octal = (at: number, width: number, value: number) =>
    block.write(value.toString(8).padStart(width - 1, "0"), at);
  block.write(fields.name, NAME);
  octal(MODE, 8, fields.mode & 0o7777);
  octal(UID, 8, fields.uid);
  octal(GID, 8, fields.gid);
  octal(SIZE, 12, fields.size);
  octal(MTIME, 12, fields.mtime);
  block.write(fields.typeflag, TYPE);
  block.write("ustar\x0000", MAGIC);
  octal(MAJOR, 8, fields.devmajor ?? 0);
  octal(MINOR, 8, fields.devminor ?? 0);
  block.write("        ", CHECKSUM);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, CHECKSUM);
  return block;
}

/** Zeros from `length` to the end of its block. */
export const padding = (length: number): Uint8Array => new Uint8Array((BLOCK - (length % BLOCK)) % BLOCK);
