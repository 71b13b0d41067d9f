/**
 * Which nodes the kernel has been told of: a byte a node in shared memory, so that two workers never have to
 * agree. Pages can be pushed only to a node the kernel knows.
 */
export class Known {
  readonly shared: SharedArrayBuffer;
  private readonly nodes: Uint8Array;

  /** @param from number of nodes, or another thread's `shared` */
  constructor(from: number | SharedArrayBuffer) {
    this.shared = typeof from === "number" ? new SharedArrayBuffer(from) : from;
    this.nodes = new Uint8Array(this.shared);
  }

  /** A node beyond the range stays unknown (a store outside a typed array does nothing). */
  add(node: number): void {
    this.nodes[node] = 1;
  }

  has(node: number): boolean {
    return this.nodes[node] === 1;
  }
}
