import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { OperationalError } from "../bytes/errors.ts";
import { MAX_NAME } from "../bytes/limits.ts";
import { SLASH, showName } from "../bytes/name.ts";
import { forEachBelow, nameOf, nextName } from "../vfs/entries.ts";
import {
  type Attr,
  DT_REGULAR,
  type Entry,
  type FileSystem,
  newAttr,
  newEntry,
  ROOT_NODE,
} from "../vfs/file-system.ts";

/** One name in the tree. A file with several names is met once a name. */
export interface WalkEntry {
  readonly node: number;
  readonly parent: number;
  /** `/` and names; the root is `/` alone. Not kept by the walker. */
  readonly path: Uint8Array;
  readonly name: Uint8Array;
  readonly attr: Attr;
}

/** A directory whose entries are being gone through; a list of them instead of recursion, which deep trees exhaust. */
interface OpenDirectory {
  readonly node: number;
  /** Bytes of `path` in the walker's buffer: a path each would take the square of the depth. */
  readonly pathLength: number;
  readonly entry: Entry;
}

const isDirectory = ({ mode }: Attr): boolean => (mode & S_IFMT) === S_IFDIR;
const ROOT_PATH = Uint8Array.of(SLASH);

/**
 * Everything from `start` down, each directory before what is in it, names in the order of the image.
 *
 * @param into false for a directory that is only to be named; all are entered by default
 * @param isWhole false: names that are too long for Linux are left out
 * @throws OperationalError for a directory that Linux cannot list whole; Error for an answer that a checked image does not give
 */
export function* walk(
  fs: FileSystem,
  start: WalkEntry,
  into: (directory: WalkEntry) => boolean = () => true,
  isWhole = true,
): Generator<WalkEntry> {
  yield start;
  let path = start.path;
  const stack: OpenDirectory[] = [];
  const enter = (walked: WalkEntry): void => {
    if (!isDirectory(walked.attr) || !into(walked)) return;
    stack.push({ node: walked.node, pathLength: walked.path.length, entry: newEntry() });
    if (walked.path.length > path.length) path = grown(walked.path);
    else path.set(walked.path);
  };
  enter(start);
  for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
    const { node: parent, pathLength, entry } = open;
    const here = path.subarray(0, pathLength);
    const more = nextName(fs, parent, entry);
    if (more < 0 && entry.nameLength > MAX_NAME) {
      if (!isWhole) continue; // the next one is asked for: Linux would not do that
      throw new OperationalError(
        `${showName(here)}: cannot be listed, it has a name of ${entry.nameLength} bytes (want at most ${MAX_NAME})`,
      );
    }
    if (must(more, here) === 0) {
      stack.pop();
      continue;
    }
    const name = nameOf(entry);
    const attr = attrOf(fs, entry.node, here);
    const walked = { node: entry.node, parent, path: join(here, name), name, attr };
    yield walked;
    enter(walked);
  }
}

/** Names of a directory, without `.` and `..`. */
export function* list(fs: FileSystem, directory: WalkEntry): Generator<WalkEntry> {
  for (const walked of walk(fs, directory, ({ node }) => node === directory.node))
    if (walked.node !== directory.node) yield walked;
}

export const rootOf = (fs: FileSystem): WalkEntry => ({
  node: ROOT_NODE,
  parent: ROOT_NODE,
  path: ROOT_PATH,
  name: ROOT_PATH,
  attr: attrOf(fs, ROOT_NODE, ROOT_PATH),
});

/** @returns what one name in a directory leads to, undefined when there is none or `directory` is none */
export function child(fs: FileSystem, directory: WalkEntry, name: Uint8Array): WalkEntry | undefined {
  if (!isDirectory(directory.attr)) return undefined;
  const node = fs.lookup(directory.node, name, 0, name.length);
  if (node <= 0) return undefined;
  const path = join(directory.path, name);
  return { node, parent: directory.node, path, name, attr: attrOf(fs, node, path) };
}

/**
 * Calls back for each regular file below a directory, a file of several names once.
 *
 * @param seen a byte an inode number, set for files and directories that were met: what is set already is passed over
 */
export function forEachFile(
  fs: FileSystem,
  directory: number,
  seen: Uint8Array,
  found: (ino: number) => void,
): void {
  forEachBelow(fs, directory, ({ node, ino, type }) => {
    if (node === 0 || seen[ino]) return false;
    seen[ino] = 1;
    if (type === DT_REGULAR) found(ino);
    return true;
  });
}

function attrOf(fs: FileSystem, node: number, path: Uint8Array): Attr {
  const attr = newAttr();
  must(fs.attr(node, attr), path);
  return attr;
}

function must(result: number, path: Uint8Array): number {
  if (result < 0) throw new Error(`${showName(path)}: error ${-result} in a checked image`);
  return result;
}

/** A copy with room behind it. */
function grown(path: Uint8Array): Uint8Array {
  const copy = new Uint8Array(2 * path.length);
  copy.set(path);
  return copy;
}

function join(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const length = directory.length === 1 ? 0 : directory.length;
  const path = new Uint8Array(length + 1 + name.length);
  path.set(directory.subarray(0, length));
  path[length] = SLASH;
  path.set(name, length + 1);
  return path;
}
