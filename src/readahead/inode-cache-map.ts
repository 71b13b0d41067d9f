const UNKNOWN = 0;
const LOOKED_UP = 1;
const HAS_PAGES = 2;
/** An earlier process may have handed it out, with pages or without. */
const UNCERTAIN = 3;

/**
 * What the kernel has of each inode, as far as a server can tell: a byte a node in shared memory, so that two workers
 * never have to agree. NOTIFY_STORE finds only inodes that are in the kernel's cache, and is worth it only where they
 * have no pages.
 */
export class InodeCacheMap {
  readonly shared: SharedArrayBuffer;
  private readonly nodes: Uint8Array;

  /** @param from number of nodes, or another thread's `shared` */
  constructor(from: number | SharedArrayBuffer) {
    this.shared = typeof from === "number" ? new SharedArrayBuffer(from) : from;
    this.nodes = new Uint8Array(this.shared);
  }

  /**
   * Called for each entry of a LOOKUP or READDIRPLUS reply. The kernel does not ask again for an inode that it has, so
   * if the node was handed out before, the kernel has evicted it since, and its pages with it. A node beyond the range
   * stays unknown (a store outside a typed array does nothing).
   */
  noteLookup(node: number): void {
    this.nodes[node] = LOOKED_UP;
  }

  /** Called for each inode when another process served before: which it handed out is not known. */
  noteTakeover(node: number): void {
    this.nodes[node] = UNCERTAIN;
  }

  /** Called when pages of the node were read or stored. */
  notePages(node: number): void {
    this.nodes[node] = HAS_PAGES;
  }

  /** True when the kernel has the inode and none of its pages. */
  lacksPages(node: number): boolean {
    return this.nodes[node] === LOOKED_UP;
  }

  /** True when the node was handed out: the kernel may have evicted it since. */
  wasLookedUp(node: number): boolean {
    return this.nodes[node] !== UNKNOWN;
  }

  /** True when pages of the node were read or stored since it was handed out last. */
  hasPages(node: number): boolean {
    return this.nodes[node] === HAS_PAGES;
  }
}
