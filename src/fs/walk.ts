import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { isDots, showName } from "../bytes/name.ts";
import { type Attr, type Entry, type FileSystem, newAttr, newEntry, ROOT_NODE } from "../vfs/file-system.ts";

/** One name in the tree. A file with several names is met once a name. */
export interface Walked {
  readonly node: number;
  readonly parent: number;
  /** `/` and names; the root is `/` alone. Not kept by the walker. */
  readonly path: Uint8Array;
  readonly name: Uint8Array;
  readonly attr: Attr;
}

/** A directory whose entries are being gone through; a list of them instead of recursion, which deep trees exhaust. */
interface Open {
  readonly node: number;
  /** Bytes of `path` in the walker's buffer: a path each would take the square of the depth. */
  readonly pathLength: number;
  readonly entry: Entry;
}

const SLASH = 0x2f;
const isDirectory = ({ mode }: Attr): boolean => (mode & S_IFMT) === S_IFDIR;
const ROOT_PATH = Uint8Array.of(SLASH);

/**
 * Everything from `start` down, each directory before what is in it, names in the order of the image.
 *
 * @param into false for a directory that is only to be named; all are entered by default
 * @throws Error for an answer that a checked image does not give
 */
export function* walk(
  fs: FileSystem,
  start: Walked,
  into: (directory: Walked) => boolean = () => true,
): Generator<Walked> {
  yield start;
  let path = start.path;
  const stack: Open[] = [];
  const enter = (walked: Walked): void => {
    if (!isDirectory(walked.attr) || !into(walked)) return;
    stack.push({ node: walked.node, pathLength: walked.path.length, entry: newEntry() });
    if (walked.path.length > path.length) path = grown(walked.path);
    else path.set(walked.path);
  };
  enter(start);
  while (stack.length > 0) {
    const { node: parent, pathLength, entry } = stack[stack.length - 1];
    const here = path.subarray(0, pathLength);
    const more = must(entry.next === 0 ? fs.entry(parent, 0, entry) : fs.nextEntry(entry), here);
    if (more === 0) {
      stack.pop();
      continue;
    }
    const name = entry.bytes.slice(entry.nameAt, entry.nameAt + entry.nameLength);
    if (isDots(name, 0, name.length)) continue;
    const attr = attrOf(fs, entry.node, here);
    const walked = { node: entry.node, parent, path: join(here, name), name, attr };
    yield walked;
    enter(walked);
  }
}

/** Names of a directory, without `.` and `..`. */
export function* list(fs: FileSystem, directory: Walked): Generator<Walked> {
  for (const walked of walk(fs, directory, ({ node }) => node === directory.node))
    if (walked.node !== directory.node) yield walked;
}

export const rootOf = (fs: FileSystem): Walked => ({
  node: ROOT_NODE,
  parent: ROOT_NODE,
  path: ROOT_PATH,
  name: ROOT_PATH,
  attr: attrOf(fs, ROOT_NODE, ROOT_PATH),
});

/** @returns what one name in a directory leads to, undefined when there is none or `directory` is none */
export function child(fs: FileSystem, directory: Walked, name: Uint8Array): Walked | undefined {
  if (!isDirectory(directory.attr)) return undefined;
  const node = fs.lookup(directory.node, name, 0, name.length);
  if (node <= 0) return undefined;
  const path = join(directory.path, name);
  return { node, parent: directory.node, path, name, attr: attrOf(fs, node, path) };
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
