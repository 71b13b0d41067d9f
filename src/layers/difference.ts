import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { compareBytes } from "../bytes/name.ts";
import type { Tree } from "../mkfs/tree.ts";
import { comparePlaces } from "./same-place.ts";
import type { Side } from "./side.ts";

/** What may be left out of a comparison. */
export type Ignorable = "mode" | "owner" | "mtime" | "xattr" | "nlink";
export type Attribute = Ignorable | "size" | "data" | "target" | "device";

/** git's letters: added, deleted, modified, type; and only metadata, and files that were not read. */
export type Letter = "A" | "D" | "M" | "T" | "m" | "?";

/** What is known of the bytes of two files; `claimed`: the same, if blobs are what images call them. */
export type DataState = "same" | "differs" | "unread" | "claimed";

/** How what two names lead to differs. */
export interface Difference {
  readonly letter: Letter;
  readonly changed: readonly Attribute[];
  readonly data: DataState | undefined;
}

const CONTENT: ReadonlySet<Attribute> = new Set<Attribute>(["size", "data", "target", "device"]);

/**
 * What differs between an inode and another; undefined: nothing that counts.
 *
 * @param dataOf asked only of files of one size that do not lie at the same place
 */
export function differenceOf(
  before: Side,
  i: number,
  after: Side,
  j: number,
  ignored: ReadonlySet<Attribute>,
  dataOf: (i: number, j: number, isClaimed: boolean) => DataState,
): Difference | undefined {
  const a = before.image.tree;
  const b = after.image.tree;
  const type = (a.mode[i] as number) & S_IFMT;
  if (type !== ((b.mode[j] as number) & S_IFMT)) return { letter: "T", changed: [], data: undefined };
  let changed: Attribute[] | undefined;
  const note = (attribute: Attribute, isSame: boolean): void => {
    if (isSame || ignored.has(attribute)) return;
    changed ??= [];
    changed.push(attribute);
  };
  let data: DataState | undefined;
  if (type === S_IFREG) {
    const hasSameSize = a.size[i] === b.size[j];
    const places = hasSameSize ? comparePlaces(before, i, after, j) : undefined;
    data = places === undefined ? "differs" : places === "same" ? "same" : dataOf(i, j, places === "claimed");
    note("size", hasSameSize);
    note("data", data !== "differs" || !hasSameSize);
  } else if (type === S_IFLNK) note("target", hasSameTarget(a, i, b, j));
  else if (type === S_IFCHR || type === S_IFBLK) note("device", a.where[i] === b.where[j]);
  const isOfThen = hasSameTime(a, i, b, j);
  note("mode", a.mode[i] === b.mode[j]);
  note("owner", a.uid[i] === b.uid[j] && a.gid[i] === b.gid[j]);
  note("mtime", isOfThen);
  note("xattr", hasSameXattrs(a, i, b, j));
  if (type !== S_IFDIR) note("nlink", before.names[i] === after.names[j]);
  const letter = letterOf(changed, data === "unread" && !isOfThen);
  return letter === undefined ? undefined : { letter, changed: changed ?? [], data };
}

export const hasSameTime = (a: Tree, i: number, b: Tree, j: number): boolean =>
  a.mtime[i] === b.mtime[j] && a.mtimeNsec[i] === b.mtimeNsec[j];

/** @param isUnknown their bytes may differ, too */
function letterOf(changed: readonly Attribute[] | undefined, isUnknown: boolean): Letter | undefined {
  if (changed?.some((attribute) => CONTENT.has(attribute)) === true) return "M";
  if (isUnknown) return "?";
  return changed === undefined ? undefined : "m";
}

const hasSameTarget = (a: Tree, i: number, b: Tree, j: number): boolean =>
  hasSameBytes(a, a.where[i], a.size[i], b, b.where[j], b.size[j]);

/** They are encoded in one way only. */
const hasSameXattrs = (a: Tree, i: number, b: Tree, j: number): boolean =>
  hasSameBytes(a, a.xattrAt[i], a.xattrSize[i], b, b.xattrAt[j], b.xattrSize[j]);

function hasSameBytes(
  a: Tree,
  at: number | undefined = 0,
  length: number | undefined = 0,
  b: Tree,
  otherAt: number | undefined = 0,
  otherLength: number | undefined = 0,
): boolean {
  return (
    length === otherLength && compareBytes(a.pool.bytes, at, length, b.pool.bytes, otherAt, otherLength) === 0
  );
}
