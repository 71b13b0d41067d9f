import { S_IFDIR, S_IFMT } from "../src/bytes/errno.ts";
import { type Entry, type FileSystem, newAttr, newEntry, ROOT_NODE } from "../src/vfs/file-system.ts";

/** One name of the tree. */
export interface Found {
  readonly parent: number;
  readonly node: number;
  /** With the NUL that ends it in a request. */
  readonly name: Buffer;
  readonly mode: number;
  readonly size: number;
}

/** Every entry of a file system but `.` and `..`, without a mount. */
export function walkTree(fs: FileSystem): Found[] {
  const all: Found[] = [];
  const queue = [ROOT_NODE];
  const entry: Entry = newEntry();
  const attr = newAttr();
  for (let at = 0; at < queue.length; at++) {
    const parent = queue[at];
    for (let cookie = 0; fs.entry(parent, cookie, entry) > 0; cookie = entry.next) {
      const raw = entry.bytes.subarray(entry.nameAt, entry.nameAt + entry.nameLength);
      const name = Buffer.concat([raw, Buffer.of(0)]);
      const { node } = entry;
      if (name.toString("latin1") === ".\0" || name.toString("latin1") === "..\0") continue;
      fs.attr(node, attr);
      all.push({ parent, node, name, mode: attr.mode, size: attr.size });
      if ((attr.mode & S_IFMT) === S_IFDIR) queue.push(node);
    }
  }
  return all;
}
