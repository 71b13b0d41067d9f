import { deviceMajor, deviceMinor } from "../bytes/device-number.ts";
import * as errno from "../bytes/errno.ts";
import type { Attr } from "../vfs/file-system.ts";

/** What the numbers of an inode say, for people and for other formats. */

/** By file type bits: the letter of `ls -l`, and a word. */
const TYPES: ReadonlyMap<number, readonly [letter: string, word: string]> = new Map([
  [errno.S_IFREG, ["-", "file"]],
  [errno.S_IFDIR, ["d", "dir"]],
  [errno.S_IFLNK, ["l", "symlink"]],
  [errno.S_IFCHR, ["c", "char"]],
  [errno.S_IFBLK, ["b", "block"]],
  [errno.S_IFIFO, ["p", "fifo"]],
  [errno.S_IFSOCK, ["s", "socket"]],
]);

type Mode = Pick<Attr, "mode">;

const typeBits = ({ mode }: Mode): number => mode & errno.S_IFMT;

export const isRegular = (attr: Mode): boolean => typeBits(attr) === errno.S_IFREG;
export const isDirectory = (attr: Mode): boolean => typeBits(attr) === errno.S_IFDIR;
export const isSymlink = (attr: Mode): boolean => typeBits(attr) === errno.S_IFLNK;
export const isDevice = (attr: Mode): boolean =>
  typeBits(attr) === errno.S_IFCHR || typeBits(attr) === errno.S_IFBLK;

/** `file`, `dir`, `symlink`, `char`, `block`, `fifo` or `socket`. */
export const typeWord = (attr: Mode): string => TYPES.get(typeBits(attr))?.[1] ?? "unknown";

/** That of `find -type`. */
export function letterOf(attr: Mode): string {
  const letter = TYPES.get(typeBits(attr))?.[0];
  return letter === "-" ? "f" : (letter ?? "U");
}

export const deviceOf = ({ rdev }: Pick<Attr, "rdev">): [major: number, minor: number] => [
  deviceMajor(rdev),
  deviceMinor(rdev),
];

/** As `ls -l` writes it. */
export function modeText(attr: Mode): string {
  const { mode } = attr;
  const triple = (shift: number, special: number, mark: string) => {
    const bits = (mode >> shift) & 7;
    const isSet = (mode & special) !== 0;
    const last = bits & 1 ? (isSet ? mark : "x") : isSet ? mark.toUpperCase() : "-";
    return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${last}`;
  };
  const letter = TYPES.get(typeBits(attr))?.[0] ?? "?";
  return letter + triple(6, 0o4000, "s") + triple(3, 0o2000, "s") + triple(0, 0o1000, "t");
}

/** ISO 8601 in UTC, nanoseconds when there are any; seconds as `@n` beyond what a Date can say. */
export function timeText({ mtime, mtimeNsec }: Pick<Attr, "mtime" | "mtimeNsec">): string {
  const fraction = mtimeNsec === 0 ? "" : `.${String(mtimeNsec).padStart(9, "0").replace(/0+$/, "")}`;
  const date = new Date(mtime * 1000);
  if (Number.isNaN(date.getTime())) return `@${mtime}${fraction}`;
  return date.toISOString().replace(/\.\d+Z$/, `${fraction}Z`);
}
