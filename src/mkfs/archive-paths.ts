import { S_IFDIR, S_IFLNK, S_IFMT } from "../bytes/errno.ts";
import { DOT, isDots, nameEnd, SLASH, showName } from "../bytes/name.ts";
import { MAX_NAME, MAX_PATH, MAX_STEPS, MAX_SYMLINKS } from "./budget.ts";
import { type Attributes, FLAG, NONE, ROOT, type Tree } from "./tree.ts";
import { markerOf } from "./whiteout.ts";

/** Where a path of an archive leads: the directory, and the last name in it; NONE and no name for a directory itself. */
export interface PathTarget {
  /** The directory that holds the name, or the directory that the path names itself. */
  directory: number;
  nameAt: number;
  /** 0: the path names `directory` itself (`./`, `a/..`). */
  nameLength: number;
}

/** How a path is followed. */
interface PathWalk {
  readonly path: Uint8Array;
  readonly make: boolean;
  /** What lies below something that is no directory is nowhere, instead of wrong. */
  readonly isNowhere: boolean;
  readonly fail: Fail;
  readonly spent: Spent;
}

/** What one path has taken so far, its symlinks together: they can lead through one another, each many times. */
interface Spent {
  links: number;
  names: number;
}

/** Throws, given what is wrong with the entry at hand. */
export type Fail = (problem: string) => never;

/**
 * Follows paths of an archive through the tree as it is so far. Nothing leads out of the root: `..` of the root is
 * the root, and so is the beginning of an absolute path or symlink. Symlinks on the way are followed, the last name
 * is not. Parents that are not there are made, as implicit parents, if the path is to be made.
 */
export class ArchivePaths {
  private readonly tree: Tree;
  private readonly hasMarkers: boolean;
  private lastPath: Uint8Array = new Uint8Array(0);
  private lastDirectory = NONE;

  /** @param hasMarkers files that are markers under the OCI rules are none: they make way for a directory */
  constructor(tree: Tree, hasMarkers: boolean) {
    this.tree = tree;
    this.hasMarkers = hasMarkers;
  }

  /** To be told when a directory or symlink has gone: what was remembered may not be true any more. */
  forget(): void {
    this.lastDirectory = NONE;
  }

  /**
   * @param make false: only look; the place is at NONE when a parent is not there
   * @param isNowhere the place is at NONE, too, when a parent is no directory
   * @throws what `fail` throws
   */
  resolve(path: Uint8Array, into: PathTarget, make: boolean, fail: Fail, isNowhere = false): void {
    if (path.length > MAX_PATH) fail(`a path of ${path.length} bytes, want at most ${MAX_PATH}`);
    let end = path.length;
    while (end > 0 && path[end - 1] === SLASH) end--;
    let at = end;
    while (at > 0 && path[at - 1] !== SLASH) at--;
    const length = end - at;
    const isName = length > 0 && !isDots(path, at, length);
    if (isName && length > MAX_NAME) fail(`a name of ${length} bytes, want at most ${MAX_NAME}`);
    into.directory =
      isName && this.isLast(path, at)
        ? this.lastDirectory
        : this.follow(
            { path, make, isNowhere, fail, spent: { links: 0, names: 0 } },
            ROOT,
            0,
            isName ? at : end,
          );
    into.nameAt = at;
    into.nameLength = isName ? length : 0;
    if (!isName || into.directory === NONE) return;
    this.lastPath = path.subarray(0, at);
    this.lastDirectory = into.directory;
  }

  /** The directory behind a live symlink; what is missing on its way is made. */
  through(node: number, fail: Fail): number {
    const spent = { links: 0, names: 0 };
    const way = { path: this.tree.name(node), make: true, isNowhere: false, fail, spent };
    return this.jump(way, this.tree.parent[node], node);
  }

  private isLast(path: Uint8Array, length: number): boolean {
    if (this.lastDirectory === NONE || this.lastPath.length !== length) return false;
    for (let i = 0; i < length; i++) if (path[i] !== this.lastPath[i]) return false;
    return true;
  }

  /** The directory that `path[from, to)` leads to from `start`. */
  private follow(way: PathWalk, start: number, from: number, to: number): number {
    const { tree } = this;
    const { path } = way;
    let directory = path[from] === SLASH ? ROOT : start;
    for (let at = from; at < to && directory !== NONE; ) {
      const end = nameEnd(path, at, to);
      const length = end - at;
      tree.steps++;
      if (++way.spent.names > MAX_STEPS) way.fail(`more than ${MAX_STEPS} names on its way`);
      if (length === 2 && path[at] === DOT && path[at + 1] === DOT)
        directory = directory === ROOT ? ROOT : tree.parent[directory];
      else if (length > 0 && !(length === 1 && path[at] === DOT))
        directory = this.step(way, directory, at, length);
      at = end + 1;
    }
    return directory;
  }

  private step(way: PathWalk, directory: number, at: number, length: number): number {
    const { tree } = this;
    const { path, make, isNowhere, fail } = way;
    if (length > MAX_NAME) fail(`a name of ${length} bytes, want at most ${MAX_NAME}`);
    const node = make ? tree.node(directory, path, at, length) : tree.find(directory, path, at, length);
    if (!tree.isLive(node)) {
      if (!make) return NONE;
      tree.inode[node] = tree.newInode(implicitParent());
      return node;
    }
    const inode = tree.inode[node];
    const type = tree.mode[inode] & S_IFMT;
    if (type === S_IFDIR) return node;
    if (make && this.hasMarkers && markerOf(path, at, length) !== "itself") {
      tree.inode[node] = tree.newInode(markerDirectory());
      return node;
    }
    if (type !== S_IFLNK && isNowhere) return NONE;
    if (type !== S_IFLNK)
      fail(`it lies below "${showName(path.subarray(0, at + length))}", which is no directory`);
    return this.jump(way, directory, node);
  }

  /** Where a symlink in `directory` leads. */
  private jump(way: PathWalk, directory: number, node: number): number {
    const { tree } = this;
    const inode = tree.inode[node];
    if (++way.spent.links > MAX_SYMLINKS)
      way.fail(
        `"${showName(tree.name(node))}" is one of too many symlinks on its way: more than ${MAX_SYMLINKS}`,
      );
    const target = tree.where[inode];
    // A copy: what is made on the way may move the pool.
    const text = tree.pool.bytes.slice(target, target + tree.size[inode]);
    return this.follow({ ...way, path: text }, directory, 0, text.length);
  }
}

/** What a parent that no entry names is until one does. */
export const implicitParent = (): Attributes => ({
  mode: S_IFDIR | 0o755,
  flags: FLAG.IMPLICIT,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNsec: 0,
  size: 0,
  where: 0,
  blob: 0,
  xattrAt: 0,
  xattrSize: 0,
});

/** A parent whose name is a marker, and that an entry makes one: the only such directory that no longer is implicit. */
export const markerDirectory = (): Attributes => ({ ...implicitParent(), flags: 0 });
