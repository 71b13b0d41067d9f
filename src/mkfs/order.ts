import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { compareBytes } from "../bytes/name.ts";
import { NONE, ROOT, type Tree } from "./tree.ts";

/**
 * The walk order of an image: all children of a directory sorted by name, then each subdirectory in that order,
 * recursively. Inode numbers, blob numbers and offsets follow it.
 */
export interface WalkOrder {
  /** Directories in the order in which they are walked, the root first. */
  readonly directories: Int32Array;
  /** Children of `directories[i]` are `children[from[i], from[i + 1])`, sorted. */
  readonly children: Int32Array;
  readonly from: Int32Array;
  /** Index of each directory node in `directories`. */
  readonly placeOf: Int32Array;
}

export function orderTree(tree: Tree): WalkOrder {
  let live = 0;
  let count = 0;
  for (let node = 0; node < tree.nodes; node++)
    if (tree.isLive(node)) {
      live++;
      if (isDirectory(tree, node)) count++;
    }
  const directories = new Int32Array(count);
  const children = new Int32Array(live - 1);
  const from = new Int32Array(count + 1);
  const placeOf = new Int32Array(tree.nodes).fill(NONE);
  const sort = sorterByName(tree);
  // Last in, first out: the first subdirectory is on top.
  const stack = [ROOT];
  let place = 0;
  let end = 0;
  for (let directory = stack.pop(); directory !== undefined; directory = stack.pop()) {
    const start = end;
    for (let child = tree.firstChild[directory]; child !== NONE; child = tree.sibling[child])
      if (tree.isLive(child)) children[end++] = child;
    const own = children.subarray(start, end).reverse(); // as they were added, which is mostly sorted
    sort(own);
    directories[place] = directory;
    from[place] = start;
    placeOf[directory] = place++;
    for (let i = end - 1; i >= start; i--) if (isDirectory(tree, children[i])) stack.push(children[i]);
  }
  from[place] = end;
  mustMeet(live - 1, end, "names");
  mustMeet(count, place, "directories");
  return { directories, children, from, placeOf };
}

/** A name that is there and that nobody reaches would be lost in silence; one that is reached twice would be two. */
function mustMeet(there: number, met: number, what: string): void {
  if (met !== there) throw new Error(`a tree of ${there} ${what}, of which a walk meets ${met}`);
}

const isDirectory = (tree: Tree, node: number): boolean => (tree.mode[tree.inode[node]] & S_IFMT) === S_IFDIR;

/** Puts nodes of one directory in the order of their names, as memcmp has it; mostly they are. For a tree that grows no more. */
export function sorterByName(tree: Tree): (nodes: Int32Array) => void {
  const { pool, nameAt, nameLength } = tree;
  const byName = (a: number, b: number) =>
    compareBytes(pool.bytes, nameAt[a], nameLength[a], pool.bytes, nameAt[b], nameLength[b]);
  return (nodes) => {
    if (!isSorted(nodes, byName)) nodes.sort(byName);
  };
}

function isSorted(nodes: Int32Array, compare: (a: number, b: number) => number): boolean {
  for (let i = 1; i < nodes.length; i++) if (compare(nodes[i - 1], nodes[i]) >= 0) return false;
  return true;
}
