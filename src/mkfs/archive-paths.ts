import { S_IFDIR, S_IFLNK, S_IFMT } from "../bytes/errno.ts";
import { DOT, isDots, nameEnd, SLASH, showName } from "../bytes/name.ts";
import { MAX_NAME, MAX_PATH, MAX_STEPS, MAX_SYMLINKS } from "./budget.ts";
import { cleanPath } from "./clean-path.ts";
import { type Attributes, FLAG, NONE, ROOT, type Tree } from "./tree.ts";
import { markerOf } from "./whiteout.ts";

/** Where a path of an archive leads: the directory, and the last name in it; NONE and no name for a directory itself. */
export interface PathTarget {
  /** The bytes that the name is in. */
  path: Uint8Array;
  /** The directory that holds the name, or the directory that the path names itself. */
  directory: number;
  nameAt: number;
  /** 0: the path names `directory` itself (`./`, `a/..`). */
  nameLength: number;
  /** The way led through a symlink. */
  hasJumped: boolean;
  /** The first directory that had to be made, NONE when all were there. */
  madeFrom: number;
}

export const newPlace = (): PathTarget => ({
  path: new Uint8Array(0),
  directory: ROOT,
  nameAt: 0,
  nameLength: 0,
  hasJumped: false,
  madeFrom: NONE,
});

/** How a path is followed, and how far it has led so far. */
interface PathWalk {
  readonly make: boolean;
  /** What lies below something that is no directory is nowhere, instead of wrong. */
  readonly isNowhere: boolean;
  readonly fail: Fail;
  /** Symlinks and names so far, all together: symlinks can lead through one another, each many times. */
  links: number;
  names: number;
  /** A directory that is there, */
  directory: number;
  madeFrom: number;
  /** and names below it, the first of which is no directory: a `..` behind it takes it away again, whatever it is. */
  readonly ahead: PathPart[];
}

interface PathPart {
  readonly path: Uint8Array;
  readonly at: number;
  readonly length: number;
}

/** Throws, given what is wrong with the entry at hand. */
export type Fail = (problem: string) => never;

/**
 * Follows paths of an archive through the tree as it is so far. Nothing leads out of the root: `..` of the root is
 * the root, and so is the beginning of an absolute path or symlink. Symlinks on the way are followed, the last name
 * is not. Parents that are not there are made, as implicit parents, if the path is to be made.
 */
export class ArchivePaths {
  /** Some path led through a directory that no entry had named before it, or through a symlink. */
  hasStrayed = false;
  private readonly tree: Tree;
  private readonly hasMarkers: boolean;
  private lastPath: Uint8Array = new Uint8Array(0);
  private lastDirectory = NONE;
  private hasLastJumped = false;

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
  resolve(given: Uint8Array, into: PathTarget, make: boolean, fail: Fail, isNowhere = false): void {
    if (given.length > MAX_PATH) fail(`a path of ${given.length} bytes, want at most ${MAX_PATH}`);
    const path = cleanPath(given);
    into.path = path;
    let end = path.length;
    while (end > 0 && path[end - 1] === SLASH) end--;
    let at = end;
    while (at > 0 && path[at - 1] !== SLASH) at--;
    const length = end - at;
    const isName = length > 0 && !isDots(path, at, length);
    if (isName && length > MAX_NAME) fail(`a name of ${length} bytes, want at most ${MAX_NAME}`);
    into.madeFrom = NONE;
    if (!isName || !this.isLast(path, at)) {
      const walk = newWalk(make, isNowhere, fail);
      this.follow(walk, path, 0, isName ? at : end);
      this.lastDirectory = this.arrive(walk);
      into.madeFrom = walk.madeFrom;
      this.hasLastJumped = walk.links > 0;
    }
    into.hasJumped = this.hasLastJumped;
    into.directory = this.lastDirectory;
    into.nameAt = at;
    into.nameLength = isName ? length : 0;
    if (isName) this.lastPath = path.subarray(0, at);
    else this.forget();
  }

  /** The directory behind a live symlink; what is missing on its way is made. */
  through(node: number, fail: Fail): number {
    const walk = newWalk(true, false, fail);
    walk.directory = this.tree.parent[node];
    this.jump(walk, node);
    return this.arrive(walk);
  }

  private isLast(path: Uint8Array, length: number): boolean {
    if (this.lastDirectory === NONE || this.lastPath.length !== length) return false;
    for (let i = 0; i < length; i++) if (path[i] !== this.lastPath[i]) return false;
    return true;
  }

  /** Follows `path[from, to)` from where the walk is. */
  private follow(walk: PathWalk, path: Uint8Array, from: number, to: number): void {
    const { tree } = this;
    if (path[from] === SLASH) goToRoot(walk);
    for (let at = from; at < to; ) {
      const end = nameEnd(path, at, to);
      const length = end - at;
      tree.steps++;
      if (++walk.names > MAX_STEPS) walk.fail(`more than ${MAX_STEPS} names on its way`);
      if (length === 2 && path[at] === DOT && path[at + 1] === DOT) this.goUp(walk);
      else if (length > 0 && !(length === 1 && path[at] === DOT)) this.step(walk, { path, at, length });
      at = end + 1;
    }
  }

  private goUp(walk: PathWalk): void {
    if (walk.ahead.pop() !== undefined || walk.directory === ROOT) return;
    walk.directory = this.tree.parent[walk.directory];
  }

  private step(walk: PathWalk, part: PathPart): void {
    const { tree } = this;
    const { path, at, length } = part;
    if (length > MAX_NAME) walk.fail(`a name of ${length} bytes, want at most ${MAX_NAME}`);
    const node = walk.ahead.length > 0 ? NONE : tree.find(walk.directory, path, at, length);
    const inode = tree.isLive(node) ? tree.inode[node] : NONE;
    const type = inode === NONE ? 0 : tree.mode[inode] & S_IFMT;
    if (type === S_IFDIR) {
      walk.directory = node;
      this.hasStrayed ||= (tree.flags[inode] & FLAG.IMPLICIT) !== 0;
    } else if (type === S_IFLNK) this.jump(walk, node);
    else walk.ahead.push(part);
  }

  /** Goes where a symlink in the directory leads. */
  private jump(walk: PathWalk, node: number): void {
    const { tree } = this;
    const inode = tree.inode[node];
    this.hasStrayed = true;
    if (++walk.links > MAX_SYMLINKS)
      walk.fail(
        `"${showName(tree.name(node))}" is one of too many symlinks on its way: more than ${MAX_SYMLINKS}`,
      );
    const target = tree.where[inode];
    this.follow(walk, tree.pool.bytes.subarray(target, target + tree.size[inode]), 0, tree.size[inode]);
  }

  /** Makes what is ahead of a walk. @returns its directory */
  private arrive(walk: PathWalk): number {
    const { tree } = this;
    const { make, isNowhere, fail } = walk;
    let { directory } = walk;
    for (const { path, at, length } of walk.ahead) {
      const node = make ? tree.node(directory, path, at, length) : tree.find(directory, path, at, length);
      const isThere = tree.isLive(node);
      const isMarker = this.hasMarkers && markerOf(path, at, length) !== "itself";
      if (!make && !isThere) return NONE;
      if (isThere && !(make && isMarker)) {
        if (isNowhere) return NONE;
        fail(`it lies below "${showName(path.subarray(0, at + length))}", which is no directory`);
      }
      this.hasStrayed = true;
      if (walk.madeFrom === NONE) walk.madeFrom = node;
      tree.put(node, tree.newInode(isThere ? markerDirectory() : implicitParent()));
      directory = node;
    }
    return directory;
  }
}

const newWalk = (make: boolean, isNowhere: boolean, fail: Fail): PathWalk => ({
  ...{ make, isNowhere, fail, links: 0, names: 0 },
  ...{ directory: ROOT, madeFrom: NONE, ahead: [] },
});

function goToRoot(walk: PathWalk): void {
  walk.directory = ROOT;
  walk.ahead.length = 0;
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
