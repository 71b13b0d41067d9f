import { isDots } from "../bytes/name.ts";
import { newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import type { ImageFileSystem } from "./image-file-system.ts";

const SLASH = 0x2f;
const DT_DIRECTORY = 4;

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
    const entry = newEntry();
    const directories = [ROOT_NODE];
    for (let i = 0; i < directories.length; i++)
      for (let more = fs.entry(directories[i], 0, entry); more === 1; more = fs.nextEntry(entry)) {
        const { node, nameAt, nameLength } = entry;
        if (node === 0 || isDots(entry.bytes, nameAt, nameLength) || this.nameLengths[node] > 0) continue;
        this.bytes = entry.bytes; // the image's, for all names but dots
        this.parents[node] = directories[i];
        this.nameAts[node] = nameAt;
        this.nameLengths[node] = nameLength;
        if (entry.type === DT_DIRECTORY) directories.push(node);
      }
  }

  /** @returns undefined for a node that has no name */
  pathOf(node: number): Uint8Array | undefined {
    const names: Uint8Array[] = [];
    let length = 0;
    for (let at = node; at !== ROOT_NODE; at = this.parents[at]) {
      const nameLength = this.nameLengths[at];
      if (!nameLength) return undefined;
      const name = this.bytes.subarray(this.nameAts[at], this.nameAts[at] + nameLength);
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
