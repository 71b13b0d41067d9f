import { SLASH, showName } from "../bytes/name.ts";
import { forEachBelow } from "../vfs/entries.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import type { ImageFileSystem } from "./image-file-system.ts";
import { rootOf, walk } from "./walk.ts";

/**
 * A path of every node, from one walk of the tree: its parent and where its name lies in the image, nine bytes a
 * node. A file with several names has the first that the walk meets.
 */
export class PathTable {
  private readonly parents: Uint32Array;
  private readonly nameAts: Uint32Array;
  private readonly nameLengths: Uint8Array;
  private bytes: Uint8Array = new Uint8Array(0);

  /** @param nodes how many node numbers there may be */
  constructor(fs: ImageFileSystem, nodes: number) {
    this.parents = new Uint32Array(nodes);
    this.nameAts = new Uint32Array(nodes);
    this.nameLengths = new Uint8Array(nodes);
    forEachBelow(fs, ROOT_NODE, ({ node, bytes, nameAt, nameLength }, parent) => {
      if (node === 0 || this.nameLengths[node] !== 0) return false; // corrupt, or it has a name
      this.bytes = bytes; // the image's
      this.parents[node] = parent;
      this.nameAts[node] = nameAt;
      this.nameLengths[node] = nameLength;
      return true;
    });
  }

  /** @returns undefined for a node that has no name */
  pathOf(node: number): Uint8Array | undefined {
    const names: Uint8Array[] = [];
    let length = 0;
    for (let at = node; at !== ROOT_NODE; at = this.parents[at] ?? 0) {
      const nameLength = this.nameLengths[at];
      if (!nameLength) return undefined;
      const nameAt = this.nameAts[at] ?? 0;
      const name = this.bytes.subarray(nameAt, nameAt + nameLength);
      names.push(name);
      length += 1 + nameLength;
    }
    const path = new Uint8Array(Math.max(1, length)).fill(SLASH);
    let at = 1;
    for (const name of names.reverse()) {
      path.set(name, at);
      at += name.length + 1;
    }
    return path;
  }
}

/**
 * Paths of a few nodes, for people: by one walk that stops when it has them all, and no table. A file with several names
 * has the first. What a broken image hides stays unknown.
 */
export function pathsOf(fs: ImageFileSystem, nodes: ReadonlySet<number>): Map<number, string> {
  const paths = new Map<number, string>();
  try {
    for (const { node, path } of walk(fs, rootOf(fs))) {
      if (nodes.has(node) && !paths.has(node)) paths.set(node, showName(path));
      if (paths.size === nodes.size) break;
    }
  } catch {} // says which entry is broken, which was said at the start
  return paths;
}
