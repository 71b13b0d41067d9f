import type { Header } from "tar-stream";
import * as errno from "../bytes/errno.ts";
import type { Walked } from "../fs/walk.ts";
import type { FileSystem } from "../vfs/file-system.ts";
import { deviceOf, isDevice, isDirectory, isRegular } from "./attr.ts";
import { paxRecord, paxTime, xattrKey } from "./pax.ts";

/** An entry of a tar: what its header can say, and in pax records what it cannot. */
export interface TarEntry {
  readonly header: Omit<Header, "linkname" | "uname" | "gname"> & Partial<Pick<Header, "linkname">>;
  /** Empty when the header says all. */
  readonly records: Uint8Array;
}

type TarType = Header["type"] | "link";

/** What tar-stream writes of a number: six octal digits, a time in 31 bits, a size in any. */
const MOST_ID = 0o777777;
const MOST_TIME = 0x7fff_ffff;
const MOST_SIZE = 0o77777777777;
const LONGEST_NAME = 100;
const SLASH = 0x2f;

const TYPES: ReadonlyMap<number, TarType> = new Map([
  [errno.S_IFREG, "file"],
  [errno.S_IFDIR, "directory"],
  [errno.S_IFLNK, "symlink"],
  [errno.S_IFCHR, "character-device"],
  [errno.S_IFBLK, "block-device"],
  [errno.S_IFIFO, "fifo"],
]);

/**
 * @param target bytes of a symlink's target, or the tar's name of a file's first name
 * @returns undefined for a socket: a tar has none
 */
export function tarEntry(
  fs: FileSystem,
  walked: Walked,
  target: Uint8Array | undefined,
  isLink: boolean,
): TarEntry | undefined {
  const { attr, node } = walked;
  const type = isLink ? "link" : TYPES.get(attr.mode & errno.S_IFMT);
  if (type === undefined) return undefined;
  const size = type === "file" ? attr.size : 0;
  const records: Uint8Array[] = [];
  const note = (key: string | Uint8Array, value: string | Uint8Array) => records.push(paxRecord(key, value));
  /** A name that the header holds, or what stands there for those who do not read pax. */
  const held = (key: string, bytes: Uint8Array) => {
    if (bytes.length > LONGEST_NAME || bytes.some((b) => b >= 0x80)) note(key, bytes);
    return Buffer.from(bytes.map((b) => (b >= 0x80 ? 0x5f : b))).toString("latin1", 0, LONGEST_NAME);
  };
  const number = (key: string, value: number, most: number) => {
    if (value <= most) return value;
    note(key, String(value));
    return 0;
  };
  const isPlainTime = attr.mtimeNsec === 0 && attr.mtime >= 0 && attr.mtime <= MOST_TIME;
  if (!isPlainTime) note("mtime", paxTime(attr.mtime, attr.mtimeNsec));
  if (size > MOST_SIZE) note("size", String(size)); // tar-stream's own way for those is GNU's
  const [devmajor, devminor] = isDevice(attr) ? deviceOf(attr) : [0, 0];
  const header = {
    name: held("path", tarName(walked)),
    type,
    ...(target === undefined ? {} : { linkname: held("linkpath", target) }),
    size,
    mode: attr.mode, // with its type: tar-stream takes permissions 0 for "none given"
    uid: number("uid", attr.uid, MOST_ID),
    gid: number("gid", attr.gid, MOST_ID),
    mtime: new Date(Math.min(Math.max(attr.mtime, 0), MOST_TIME) * 1000),
    devmajor,
    devminor,
  };
  for (const { name, value } of xattrsOf(fs, node)) note(xattrKey(name), value);
  return { header, records: Buffer.concat(records) };
}

/** Relative, as in every layer: `./` for the root, a slash behind directories. */
export function tarName({ path, attr }: Walked): Uint8Array {
  if (path.length === 1) return Uint8Array.of(0x2e, SLASH);
  return isDirectory(attr) ? Buffer.concat([path.subarray(1), Uint8Array.of(SLASH)]) : path.subarray(1);
}

/** A file that may have been met under another name. */
export const hasNames = (walked: Walked): boolean => walked.attr.nlink > 1 && !isDirectory(walked.attr);

export const hasBody = ({ attr }: Walked): boolean => isRegular(attr);

interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

function xattrsOf(fs: FileSystem, node: number): Xattr[] {
  const names = new Uint8Array(fs.listxattr(node, new Uint8Array(0), 0, 0, true));
  fs.listxattr(node, names, 0, names.length, true);
  const all: Xattr[] = [];
  for (let at = 0; at < names.length; ) {
    const end = names.indexOf(0, at);
    const value = new Uint8Array(fs.getxattr(node, names, at, end - at, names, 0, 0));
    fs.getxattr(node, names, at, end - at, value, 0, value.length);
    all.push({ name: names.subarray(at, end), value });
    at = end + 1;
  }
  return all;
}
