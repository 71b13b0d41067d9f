const TOLD = 1;
const CACHED = 2;
/** Another process told it, or not. */
const PERHAPS = 3;

/**
 * What the kernel has of each node: a byte a node in shared memory, so that two workers never have to agree.
 * Pages can be pushed only to a node the kernel was told of, and should be only once.
 */
export class Known {
  readonly shared: SharedArrayBuffer;
  private readonly nodes: Uint8Array;

  /** @param from number of nodes, or another thread's `shared` */
  constructor(from: number | SharedArrayBuffer) {
    this.shared = typeof from === "number" ? new SharedArrayBuffer(from) : from;
    this.nodes = new Uint8Array(this.shared);
  }

  /**
   * The kernel was told of the node, perhaps again: then it had forgotten it, pages and all. A node beyond
   * the range stays unknown (a store outside a typed array does nothing).
   */
  tell(node: number): void {
    this.nodes[node] = TOLD;
  }

  /** Another process served before: what it told is not known. */
  assume(): void {
    this.nodes.fill(PERHAPS);
  }

  /** Pages of the node were read or pushed. */
  cache(node: number): void {
    this.nodes[node] = CACHED;
  }

  /** True when the kernel knows the node and has none of its pages. */
  wantsPages(node: number): boolean {
    return this.nodes[node] === TOLD;
  }

  /** True when the kernel was told of the node: it may have forgotten it since. */
  wasTold(node: number): boolean {
    return this.nodes[node] !== 0;
  }

  /** True when pages of the node were read or pushed since the kernel was told of it. */
  hasPages(node: number): boolean {
    return this.nodes[node] === CACHED;
  }
}
