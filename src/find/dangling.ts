import { S_IFLNK, S_IFMT } from "../bytes/errno.ts";
import { isDots, SLASH } from "../bytes/name.ts";
import { ROOT, type Tree } from "../mkfs/tree.ts";
import type { Predicate } from "./predicate.ts";

/** As many as the kernel follows on one way. */
const MOST_LINKS = 40;

/** Symlinks that are seen, and lead to nothing in the image, whose root is `/` to them. */
export const danglingTest: Predicate = (rows) => (row) =>
  rows.type(row) === S_IFLNK && rows.isSeen(row) && leadsNowhere(rows.tree, rows.node(row));

function leadsNowhere(tree: Tree, link: number): boolean {
  const left: Uint8Array[] = [];
  let at = enter(tree, link, left);
  for (let links = 1, name = left.pop(); name !== undefined; name = left.pop()) {
    // Also `.`, and a slash behind the last name, want a directory.
    if (!tree.isDirectory(at)) return true;
    const next = step(tree, at, name);
    if (!tree.isLive(next)) return true;
    if (((tree.mode[tree.inode[next] as number] as number) & S_IFMT) !== S_IFLNK) at = next;
    else if (++links > MOST_LINKS) return true;
    else at = enter(tree, next, left);
  }
  return false;
}

/** Puts the names of a symlink's target in front of those that are left. @returns where they begin */
function enter(tree: Tree, link: number, left: Uint8Array[]): number {
  const inode = tree.inode[link] as number;
  const at = tree.where[inode] as number;
  const target = tree.pool.bytes.subarray(at, at + (tree.size[inode] as number));
  left.push(...namesOf(target));
  return target[0] === SLASH ? ROOT : (tree.parent[link] as number);
}

/** @returns NONE: there is no such name */
function step(tree: Tree, directory: number, name: Uint8Array): number {
  if (name.length === 0) return directory;
  if (!isDots(name, 0, name.length)) return tree.find(directory, name, 0, name.length);
  return name.length === 1 || directory === ROOT ? directory : (tree.parent[directory] as number);
}

/** The last one first; one that is empty is a slash too many, or the last. */
function namesOf(target: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  let end = target.length;
  for (let at = target.lastIndexOf(SLASH); at >= 0; at = target.subarray(0, at).lastIndexOf(SLASH)) {
    names.push(target.subarray(at + 1, end));
    end = at;
  }
  names.push(target.subarray(0, end));
  return names;
}
