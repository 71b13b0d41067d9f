import { S_IFREG } from "../bytes/errno.ts";
import { nameEnd, SLASH } from "../bytes/name.ts";
import { NONE, ROOT, type Tree } from "../mkfs/tree.ts";
import type { Predicate } from "./predicate.ts";

/** Files that are seen, and that one of these paths leads to, by whatever name; or those that none does. */
export const touched =
  (paths: readonly Uint8Array[], isTouched: boolean): Predicate =>
  (rows) => {
    const { tree } = rows;
    const inodes = new Set(paths.map((path) => inodeAt(tree, path)));
    return (row) =>
      rows.type(row) === S_IFREG && rows.isSeen(row) && inodes.has(rows.inode(row)) === isTouched;
  };

function inodeAt(tree: Tree, path: Uint8Array): number {
  let node = ROOT;
  for (let at = 0; at < path.length && node !== NONE; ) {
    const end = nameEnd(path, at, path.length);
    if (end > at) node = tree.find(node, path, at, end - at);
    at = end + (path[end] === SLASH ? 1 : 0);
  }
  return tree.isLive(node) ? (tree.inode[node] as number) : NONE;
}
