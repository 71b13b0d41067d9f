import { FormatError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import { readDecimal } from "./number.ts";
import { readXattr, type XattrRecord } from "./pax-xattr.ts";

/**
 * A pax extension header: records `LENGTH KEY=VALUE\n`, LENGTH counting all of itself in decimal.
 * Source: POSIX pax, "pax Extended Header"; GNU tar `sparse.c` for GNU.sparse.*.
 */
const SPACE = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;
/** Digits of a record's length, at most. */
const MAX_DIGITS = 10;

/** Numbers of the keys that mean something here; all others (SCHILY.dev, comment, …) are ignored. */
export const PATH = 0;
export const LINKPATH = 1;
export const UID = 2;
export const GID = 3;
export const SIZE = 4;
export const MTIME = 5;
export const SPARSE_MAJOR = 6;
export const SPARSE_MINOR = 7;
export const SPARSE_NAME = 8;
export const SPARSE_REALSIZE = 9;
export const SPARSE_SIZE = 10;
export const SPARSE_MAP = 11;
const SPARSE_OFFSET = 12; // and 13, GNU.sparse.numbytes

/** Compared as bytes: a header of 70,000 wants no strings made. */
const KEYS: readonly Uint8Array[] = [
  ...["path", "linkpath", "uid", "gid", "size", "mtime"],
  ...["GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize", "GNU.sparse.size"],
  ...["GNU.sparse.map", "GNU.sparse.offset", "GNU.sparse.numbytes"],
].map((key) => Uint8Array.from(Buffer.from(key)));

/** The value `b[from, to)` of a record; an empty one takes back what is known otherwise. */
export interface PaxValue {
  readonly b: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** What an entry's own (`x`) or all later entries' (`g`) extension headers say. */
export class PaxRecords {
  /** By number of the key. */
  readonly values = new Array<PaxValue | undefined>(KEYS.length).fill(undefined);
  xattrs: XattrRecord[] = [];
  /** Sparse format 0.0: offset and length of each piece in turn, repeated records in their order. */
  pieces: PaxValue[] = [];
  isSparse = false;
  private isEmpty = true;

  clear(): void {
    if (this.isEmpty) return;
    this.values.fill(undefined);
    if (this.xattrs.length > 0) this.xattrs = [];
    if (this.pieces.length > 0) this.pieces = [];
    this.isSparse = false;
    this.isEmpty = true;
  }

  /**
   * Reads the records of one extension header.
   *
   * @param b what its data begin; values point into it
   * @param length bytes of its data
   * @param at their byte offset in the tar
   * @param isGlobal whether it is a `g` header, where sparse maps have no meaning
   * @throws FormatError at the byte of a record that is not well-formed
   */
  read(b: Uint8Array, length: number, at: number, file: string, isGlobal: boolean): void {
    this.clear();
    this.isEmpty = false;
    let start = 0;
    const refuse = (problem: string): never => {
      const what = `pax record ${show(b, start, length)}: ${problem}`;
      throw new FormatError(what, { file, at: at + start });
    };
    while (start < length) {
      const space = find(b, SPACE, start, Math.min(start + MAX_DIGITS + 1, length));
      const bytes = readDecimal(b, start, space);
      if (Number.isNaN(bytes)) refuse("it does not begin with its length and a space");
      const end = start + bytes;
      if (end > length) refuse(`its ${bytes} bytes are more than the ${length - start} left`);
      if (end < space + 2 || b[end - 1] !== NEWLINE) refuse(`no newline ends its ${bytes} bytes`);
      const equals = find(b, EQUALS, space + 1, end);
      if (equals < 0 || equals === space + 1) refuse("no key and = in it");
      this.take(b, space + 1, equals, end - 1, isGlobal, refuse);
      start = end;
    }
  }

  private take(
    b: Uint8Array,
    from: number,
    equals: number,
    to: number,
    isGlobal: boolean,
    refuse: (problem: string) => never,
  ): void {
    const key = keyNumber(b, from, equals);
    if (key < 0) {
      const xattr = readXattr(b, from, equals, to, refuse);
      if (xattr !== undefined) this.xattrs.push(xattr);
      return;
    }
    if (key >= SPARSE_MAJOR) {
      if (isGlobal) refuse("it cannot be in a global header");
      this.isSparse = true;
    }
    const value = { b, from: equals + 1, to };
    if (key < SPARSE_OFFSET) this.values[key] = value;
    else if (this.pieces.length % 2 === key - SPARSE_OFFSET) this.pieces.push(value);
    else refuse("GNU.sparse.offset and GNU.sparse.numbytes do not take turns");
  }
}

/** The place of a byte in `b[from, to)`, or -1. */
function find(b: Uint8Array, byte: number, from: number, to: number): number {
  for (let i = from; i < to; i++) if (b[i] === byte) return i;
  return -1;
}

function keyNumber(b: Uint8Array, from: number, to: number): number {
  for (let k = 0; k < KEYS.length; k++) {
    const key = KEYS[k];
    if (key === undefined || key.length !== to - from || key[0] !== b[from]) continue;
    let i = 1;
    while (i < key.length && key[i] === b[from + i]) i++;
    if (i === key.length) return k;
  }
  return -1;
}

/** The beginning of a record, enough to find it by. */
function show(b: Uint8Array, at: number, length: number): string {
  const most = Math.min(at + 40, length);
  const newline = find(b, NEWLINE, at, most);
  return `"${showName(b.subarray(at, newline < 0 ? most : newline))}"`;
}
