import type { Header } from "tar-stream";
import { deviceMajor, deviceMinor } from "../bytes/device-number.ts";
import type { EntryHeader, EntryKind } from "./entry.ts";
import { paxRecord, paxTime, xattrRecords } from "./write-pax.ts";

/** An entry as tar-stream is told of it, and in pax records what its headers cannot say. */
export interface EncodedEntry {
  readonly header: Omit<Header, "linkname" | "uname" | "gname"> & Partial<Pick<Header, "linkname">>;
  /** Empty when the header says all. */
  readonly records: Uint8Array;
}

/** What tar-stream writes of a number: six octal digits, a time in 31 bits, a size in any. */
const MOST_ID = 0o777777;
const MOST_TIME = 0x7fff_ffff;
const MOST_SIZE = 0o77777777777;
const LONGEST_NAME = 100;
/** Above the permissions, and not written: tar-stream takes permissions 0 for "none given". */
const IS_GIVEN = 0o10000;

/** tar-stream's own types leave hard links out, which it can write. */
const TYPES: Readonly<Record<EntryKind, Header["type"] | "link">> = {
  file: "file",
  hardlink: "link",
  symlink: "symlink",
  char: "character-device",
  block: "block-device",
  directory: "directory",
  fifo: "fifo",
};

export function encodeEntry(entry: EntryHeader): EncodedEntry {
  const { kind } = entry;
  const records: Uint8Array[] = [];
  const note = (key: string | Uint8Array, value: string | Uint8Array) => records.push(paxRecord(key, value));
  /** A name that the header holds, or what a reader without pax finds there. */
  const name = (key: string, bytes: Uint8Array) => {
    if (bytes.length > LONGEST_NAME || bytes.some((b) => b >= 0x80)) note(key, bytes);
    return Buffer.from(bytes.map((b) => (b >= 0x80 ? 0x5f : b))).toString("latin1", 0, LONGEST_NAME);
  };
  const id = (key: string, value: number) => {
    if (value <= MOST_ID) return value;
    note(key, String(value));
    return 0;
  };
  const isPlainTime = entry.mtimeNsec === 0 && entry.mtime >= 0 && entry.mtime <= MOST_TIME;
  if (!isPlainTime) note("mtime", paxTime(entry.mtime, entry.mtimeNsec));
  if (entry.size > MOST_SIZE) note("size", String(entry.size)); // tar-stream's own way for those is GNU's
  const header = {
    name: name("path", entry.path),
    type: TYPES[kind],
    ...(kind === "hardlink" || kind === "symlink" ? { linkname: name("linkpath", entry.link) } : {}),
    size: entry.size,
    mode: IS_GIVEN | entry.mode,
    uid: id("uid", entry.uid),
    gid: id("gid", entry.gid),
    mtime: new Date(Math.min(Math.max(entry.mtime, 0), MOST_TIME) * 1000),
    devmajor: deviceMajor(entry.rdev),
    devminor: deviceMinor(entry.rdev),
  };
  for (const xattr of entry.xattrs) records.push(xattrRecords(xattr));
  return { header, records: Buffer.concat(records) };
}
