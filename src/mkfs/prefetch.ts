import { compareBytes, nameEnd, SLASH } from "../bytes/name.ts";
import { trimmedLines } from "../bytes/trimmed-lines.ts";
import { NONE, ROOT, type Tree } from "./tree.ts";

/**
 * Nodes of the absolute paths that are in the tree, in the order given. One that lies below an earlier one is left
 * out: a directory stands for all that is in it.
 */
export function prefetchNodes(tree: Tree, paths: readonly Uint8Array[]): number[] {
  const nodes: number[] = [];
  for (const path of paths) {
    const node = find(tree, path);
    if (node !== NONE && !isCovered(tree, node, nodes)) nodes.push(node);
  }
  return nodes;
}

function find(tree: Tree, path: Uint8Array): number {
  let node = ROOT;
  for (let at = 0; at < path.length; ) {
    const end = nameEnd(path, at, path.length);
    if (end > at) node = tree.find(node, path, at, end - at);
    if (!tree.isLive(node)) return NONE;
    at = end + 1;
  }
  return node;
}

function isCovered(tree: Tree, node: number, earlier: readonly number[]): boolean {
  for (let at = node; at !== NONE; at = tree.parent[at]) if (earlier.includes(at)) return true;
  return false;
}

/** Paths of a list; lines that are no absolute path are left out, as nydus-image does. */
export function prefetchList(text: Uint8Array): Uint8Array[] {
  const paths = [...trimmedLines(text)].map((line) => line.text).filter((line) => line[0] === SLASH);
  const isFirst = (path: Uint8Array, i: number) =>
    paths.findIndex((p) => compareBytes(p, 0, p.length, path, 0, path.length) === 0) === i;
  return paths.filter(isFirst);
}
