import { LRUCache } from "lru-cache";
import { ENOENT } from "../bytes/errno.ts";
import { type FileSystem, ROOT_NODE } from "../vfs/file-system.ts";

/** Paths remembered: some 200 bytes each. The parents are what matters, and they are asked for most. */
const MAX_PATHS = 16_384;
/** Longer than any component the kernel sends: its own limit for FUSE is PATH_MAX (fs/fuse/fuse_i.h). */
const MAX_COMPONENT = 4096;

/**
 * Nodes by path, because libfuse's high-level interface names files by path only. The image never changes,
 * so an answer stays true, "does not exist" too.
 */
export class Paths {
  private readonly fs: FileSystem;
  private readonly nodes: LRUCache<string, number>;
  private readonly name = Buffer.alloc(MAX_COMPONENT);

  constructor(fs: FileSystem, max = MAX_PATHS) {
    this.fs = fs;
    this.nodes = new LRUCache({ max });
  }

  /**
   * @param path absolute, without "." and ".." and without a slash at the end, as libfuse makes it
   * @returns the node, or -errno
   */
  resolve(path: string): number {
    if (path === "/") return ROOT_NODE;
    const known = this.nodes.get(path);
    if (known !== undefined) return known;
    let at = path.lastIndexOf("/");
    let node: number | undefined;
    while (at > 0) {
      node = this.nodes.get(path.slice(0, at));
      if (node !== undefined) break;
      at = path.lastIndexOf("/", at - 1);
    }
    return this.walk(path, node ?? ROOT_NODE, Math.max(at, 0));
  }

  /** Resolves what follows `path[0, at)`, which is `node` or -errno. */
  private walk(path: string, node: number, at: number): number {
    let here = node;
    let from = at;
    while (here > 0 && from < path.length) {
      const slash = path.indexOf("/", from + 1);
      const end = slash < 0 ? path.length : slash;
      const length = this.name.write(path.slice(from + 1, end));
      here = this.fs.lookup(here, this.name, 0, length) || -ENOENT;
      this.nodes.set(path.slice(0, end), here);
      from = end;
    }
    return here;
  }
}
