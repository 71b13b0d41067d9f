import { S_IFREG } from "../bytes/errno.ts";
import type { TarEntry } from "../tar/entry.ts";
import { type Fail, implicitParent, markerDirectory, type PathTarget } from "./archive-paths.ts";
import type { Tree } from "./tree.ts";
import { isNamelessMarker, markerOf } from "./whiteout.ts";

/**
 * Markers of the OCI rules in the tree of one layer, where each becomes an empty file: what an entry of such a name is, and
 * what it links to, means nothing.
 */
export class LayerMarkers {
  private readonly tree: Tree;

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /** @returns the node of a marker; undefined when the entry is none */
  take(entry: TarEntry, { directory, path, nameAt, nameLength }: PathTarget, fail: Fail): number | undefined {
    const { tree } = this;
    if (isNamelessMarker(path, nameAt, nameLength)) fail("a whiteout that names nothing");
    if (markerOf(path, nameAt, nameLength) === "itself") return undefined;
    const node = tree.node(directory, path, nameAt, nameLength);
    const isDirectory = tree.isDirectory(node);
    tree.put(
      node,
      tree.newInode(isDirectory ? markerDirectory() : { ...implicitParent(), ...fileOf(entry) }),
    );
    return node;
  }

  /** Whether a node is a marker: a file, which a hard link cannot mean. */
  isMarker(node: number): boolean {
    const { pool, nameAt, nameLength } = this.tree;
    return markerOf(pool.bytes, nameAt[node], nameLength[node]) !== "itself" && !this.tree.isDirectory(node);
  }
}

const fileOf = ({ mode, uid, gid, mtime, mtimeNsec }: TarEntry) => ({
  mode: S_IFREG | mode,
  ...{ flags: 0, uid, gid, mtime, mtimeNsec },
});
