import { isUtf8, showName } from "../bytes/name.ts";
import { nameOf, nextName } from "../vfs/entries.ts";
import {
  DT_DIRECTORY,
  DT_SYMLINK,
  type Entry,
  type FileSystem,
  newEntry,
  ROOT_NODE,
} from "../vfs/file-system.ts";

/** More than all xattr names of an inode: XATTR_LIST_MAX. */
const SCRATCH = 65_536;

/** A directory on the way down, and where to go on in it. */
interface Level {
  readonly node: number;
  readonly name: Uint8Array;
  readonly entry: Entry;
}

/**
 * Looks for text that cannot pass through the package, which makes strings of all names: file names, symlink
 * targets and names of extended attributes that are not UTF-8.
 *
 * @returns what it is and where, for a message; undefined when all is well
 */
export function findNonUtf8(fs: FileSystem): string | undefined {
  const scratch = new Uint8Array(SCRATCH);
  const levels: Level[] = [{ node: ROOT_NODE, name: new Uint8Array(0), entry: newEntry() }];
  const pathOf = (name: Uint8Array) => [...levels.map((l) => l.name), name].map(showName).join("/");
  const isBad = (length: number) => length > 0 && !isText(scratch, 0, length);
  if (fs.traits.hasXattrs && isBad(fs.listxattr(ROOT_NODE, scratch, 0, SCRATCH, true)))
    return "names of extended attributes that are not UTF-8, the first is at /";

  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const { node: directory, entry } = level;
    if (nextName(fs, directory, entry) !== 1) {
      levels.pop();
      continue;
    }
    const { bytes, nameAt, nameLength, node, type } = entry;
    const name = () => nameOf(entry);
    if (!isText(bytes, nameAt, nameLength)) return `names that are not UTF-8, the first is ${pathOf(name())}`;
    if (node === 0) continue;
    if (type === DT_SYMLINK && isBad(fs.readlink(node, scratch, 0)))
      return `symlink targets that are not UTF-8, the first is that of ${pathOf(name())}`;
    if (fs.traits.hasXattrs && isBad(fs.listxattr(node, scratch, 0, SCRATCH, true)))
      return `names of extended attributes that are not UTF-8, the first is at ${pathOf(name())}`;
    if (type === DT_DIRECTORY) levels.push({ node, name: name(), entry: newEntry() });
  }
  return undefined;
}

/** Most names are ASCII, and need no decoder. */
function isText(bytes: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++)
    // The name lies in the bytes. A copy, because a decoder does not take shared memory.
    if ((bytes[i] as number) >= 0x80) return isUtf8(bytes.slice(at, at + length));
  return true;
}
