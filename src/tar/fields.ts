import { MAX_MAJOR, MAX_MINOR, makeDevice } from "../bytes/device-number.ts";
import { copyOf } from "./copy.ts";
import type { Xattr } from "./entry.ts";
import type { Extensions } from "./extensions.ts";
import * as header from "./header.ts";
import { NARROW, readDecimal, readNumber, showField, WIDE } from "./number.ts";
import * as pax from "./pax.ts";
import { readTime, type Time } from "./pax-time.ts";
import type { Refuse } from "./piece-list.ts";

/**
 * The attributes of an entry: from its pax records where they give one, else from its header. What is given
 * otherwise is not looked at, so a header may hold anything where a record counts.
 */
const MAX_ID = 2 ** 32 - 1;
/** One for all entries without extended attributes, which is nearly all of them. */
const NO_XATTRS: readonly Xattr[] = [];
/** By list of records: global ones are those of every entry, and may be a MiB. */
const COPIES = new WeakMap<object, readonly Xattr[]>();

/** A field of the header by its name in messages. */
export function numberField(h: Uint8Array, at: number, width: number, name: string, refuse: Refuse): number {
  const value = readNumber(h, at, width);
  if (Number.isNaN(value)) refuse(`${name} is ${showField(h, at, width)}, want an octal number`);
  return value;
}

function paxNumber(value: pax.PaxValue, name: string, refuse: Refuse): number {
  const { b, from, to } = value;
  const number = readDecimal(b, from, to);
  if (Number.isNaN(number)) refuse(`pax ${name} is ${showField(b, from, to - from)}, want a number`);
  return number;
}

const mustBeIn = (value: number, max: number, name: string, refuse: Refuse): number =>
  value >= 0 && value <= max ? value : refuse(`${name} is ${value}, want 0 to ${max}`);

export const mustBeSize = (value: number, name: string, refuse: Refuse): number =>
  mustBeIn(value, Number.MAX_SAFE_INTEGER, name, refuse);

/** Permission bits; writers leave the file type above them. */
export const modeOf = (h: Uint8Array, refuse: Refuse): number =>
  numberField(h, header.MODE, NARROW, "mode", refuse) & 0o7777;

export function idOf(h: Uint8Array, ext: Extensions, name: "uid" | "gid", refuse: Refuse): number {
  const value = ext.value(name === "uid" ? pax.UID : pax.GID);
  const at = name === "uid" ? header.UID : header.GID;
  const id = value ? paxNumber(value, name, refuse) : numberField(h, at, NARROW, name, refuse);
  return mustBeIn(id, MAX_ID, name, refuse);
}

/** Bytes stored after the header, sparse map included. */
export function storedSize(h: Uint8Array, ext: Extensions, refuse: Refuse): number {
  const value = ext.value(pax.SIZE);
  const size = value ? paxNumber(value, "size", refuse) : numberField(h, header.SIZE, WIDE, "size", refuse);
  return mustBeSize(size, "size", refuse);
}

export function timeOf(h: Uint8Array, ext: Extensions, refuse: Refuse): Time {
  const value = ext.value(pax.MTIME);
  const time = value
    ? readTime(value.b, value.from, value.to)
    : { seconds: numberField(h, header.MTIME, WIDE, "mtime", refuse), nsec: 0 };
  if (value && time === undefined)
    refuse(`pax mtime is ${showField(value.b, value.from, value.to - value.from)}, want seconds`);
  if (!Number.isSafeInteger(time?.seconds)) refuse(`mtime is ${time?.seconds}, want less than 2^53`);
  return time as Time;
}

/** Device number as Linux stores it; headers without a magic (v7) have none. */
export function rdevOf(h: Uint8Array, refuse: Refuse): number {
  if (!header.isUstar(h) && !header.isGnu(h)) return 0;
  const major = numberField(h, header.MAJOR, NARROW, "device major", refuse);
  const minor = numberField(h, header.MINOR, NARROW, "device minor", refuse);
  mustBeIn(major, MAX_MAJOR, "device major", refuse);
  mustBeIn(minor, MAX_MINOR, "device minor", refuse);
  return makeDevice(major, minor);
}

/** The size that records of a sparse file give to it with its holes. */
export function sparseSize(ext: Extensions, refuse: Refuse): number {
  const value = ext.value(pax.SPARSE_REALSIZE) ?? ext.value(pax.SPARSE_SIZE);
  if (value === undefined) return refuse("a sparse map, but no GNU.sparse.realsize or GNU.sparse.size");
  return mustBeSize(paxNumber(value, "sparse size", refuse), "sparse size", refuse);
}

export function xattrsOf(ext: Extensions): readonly Xattr[] {
  const found = ext.xattrs;
  if (found.length === 0) return NO_XATTRS;
  const known = COPIES.get(found);
  if (known !== undefined) return known;
  const copies = found.map(({ name, value }) => ({ name: copyOf(name), value: copyOf(value) }));
  COPIES.set(found, copies);
  return copies;
}
