import { S_IFDIR, S_IFREG } from "../bytes/errno.ts";
import { NONE } from "../mkfs/tree.ts";
import type { Predicate } from "./predicate.ts";
import type { Rows } from "./rows.ts";

/*
 * How many names an inode has, and whether anything is in a directory, is asked of a version as it was last: when the layer
 * below the one that ended it had been laid.
 */

const FOREVER = 0x1_0000;

const endOf = ({ image: { versions } }: Rows, row: number): number => versions.endedIn[row] || FOREVER;

/** Whether a version is there when another one is there for the last time. */
const isBeside = (rows: Rows, row: number, end: number): boolean =>
  rows.layer(row) < end && endOf(rows, row) >= end;

/** Of a row: how many names lead to it; a directory has one besides for itself and for each directory in it. NaN: a marker. */
export function linksOf(rows: Rows): (row: number) => number {
  const { versions } = rows.image;
  const { tree } = rows;
  /** Rows of an inode, a list that ends in NONE. */
  const first = new Int32Array(tree.inodes).fill(NONE);
  const next = new Int32Array(rows.versions).fill(NONE);
  for (let row = 0; row < rows.versions; row++) {
    if (!versions.isVersion(row)) continue;
    const inode = rows.inode(row);
    next[row] = first[inode] as number;
    first[inode] = row;
  }
  const below = childrenCount(rows, (row) => rows.type(row) === S_IFDIR);
  const namesAt = (inode: number, end: number): number => {
    let names = 0;
    for (let at = first[inode] as number; at !== NONE; at = next[at] as number)
      if (isBeside(rows, at, end)) names++;
    return names;
  };
  /** By inode, by the layer that ended it: one for all of its names, of which there can be as many as entries. */
  const counted = new Map<number, number>();
  return (row) => {
    if (row >= rows.versions) return Number.NaN;
    if (rows.type(row) === S_IFDIR) return 2 + (below[row] as number);
    const [inode, end] = [rows.inode(row), endOf(rows, row)];
    const key = inode * (FOREVER + 1) + end;
    const names = counted.get(key) ?? namesAt(inode, end);
    counted.set(key, names);
    return names;
  };
}

/** Files without bytes, and directories without names. */
export const emptyTest: Predicate = (rows) => {
  const below = childrenCount(rows, () => true);
  return (row) => {
    const type = rows.type(row);
    if (type === S_IFDIR) return below[row] === 0;
    return type === S_IFREG && rows.size(row) === 0;
  };
};

/** By row of a directory: how many of what is asked for are in it. */
function childrenCount(rows: Rows, isCounted: (row: number) => boolean): Uint32Array {
  const { versions } = rows.image;
  const counts = new Uint32Array(rows.versions);
  for (let row = 0; row < rows.versions; row++) {
    const parent = rows.tree.parent[rows.node(row)] as number;
    if (parent === NONE || !versions.isVersion(row) || !isCounted(row)) continue;
    for (const directory of versions.of(parent))
      if (isBeside(rows, row, endOf(rows, directory))) (counts[directory] as number)++;
  }
  return counts;
}
