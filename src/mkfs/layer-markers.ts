import { S_IFDIR, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import type { TarEntry } from "../tar/entry.ts";
import {
  type ArchivePaths,
  type Fail,
  implicitParent,
  markerDirectory,
  type PathTarget,
} from "./archive-paths.ts";
import { FLAG, NONE, type Tree } from "./tree.ts";
import { isNamelessMarker, MARKER_LENGTH, markerOf } from "./whiteout.ts";

/**
 * Markers of the OCI rules in the tree of one layer, where each becomes an empty file: what an entry of such a name is, and
 * what it links to, means nothing.
 */
export class LayerMarkers {
  private readonly tree: Tree;
  private readonly paths: ArchivePaths;
  /** Directories that hold more than markers, as far as was looked: none is looked through twice in vain. */
  private readonly withContent = new Set<number>();

  constructor(tree: Tree, paths: ArchivePaths) {
    this.tree = tree;
    this.paths = paths;
  }

  /** @returns whether the entry is a marker, and has been taken */
  take(entry: TarEntry, { directory, nameAt, nameLength }: PathTarget, fail: Fail): boolean {
    const { tree } = this;
    const { path } = entry;
    if (isNamelessMarker(path, nameAt, nameLength)) fail("a whiteout that names nothing");
    const marker = markerOf(path, nameAt, nameLength);
    if (marker === "itself") return false;
    if (marker === "gone") {
      const gone = tree.find(directory, path, nameAt + MARKER_LENGTH, nameLength - MARKER_LENGTH);
      if (gone !== NONE && this.holdsOnlyMarkers(gone)) {
        tree.remove(gone);
        this.paths.forget();
      }
    }
    const node = tree.node(directory, path, nameAt, nameLength);
    if (tree.isLive(node) && this.isDirectory(node)) tree.set(tree.inode[node], markerDirectory());
    else tree.inode[node] = tree.newInode({ ...implicitParent(), ...fileOf(entry) });
    return true;
  }

  /** Whether a node is a marker: a file, which a hard link cannot mean. */
  isMarker(node: number): boolean {
    const { pool, nameAt, nameLength } = this.tree;
    return markerOf(pool.bytes, nameAt[node], nameLength[node]) !== "itself" && !this.isDirectory(node);
  }

  /**
   * Whether the layer brings nothing but markers in a directory that it does not name either: unpacking would have made it
   * for them, and a whiteout that comes later takes it away again.
   */
  private holdsOnlyMarkers(node: number): boolean {
    const { tree, withContent } = this;
    if (!tree.isLive(node)) return true;
    const isImplicit = (tree.flags[tree.inode[node]] & FLAG.IMPLICIT) !== 0;
    if (!this.isDirectory(node) || !isImplicit || withContent.has(node)) return false;
    for (let child = tree.firstChild[node]; child !== NONE; child = tree.sibling[child])
      if (!this.isMarker(child) && !this.holdsOnlyMarkers(child)) {
        withContent.add(node);
        return false;
      }
    return true;
  }

  private isDirectory(node: number): boolean {
    const { tree } = this;
    return tree.isLive(node) && (tree.mode[tree.inode[node]] & S_IFMT) === S_IFDIR;
  }
}

const fileOf = ({ mode, uid, gid, mtime, mtimeNsec }: TarEntry) => ({
  mode: S_IFREG | mode,
  ...{ flags: 0, uid, gid, mtime, mtimeNsec },
});
