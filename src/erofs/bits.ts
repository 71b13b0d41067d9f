/** A set of small integers as bits in shared memory: one writer, readers that may lag. */
export class Bits {
  readonly shared: SharedArrayBuffer;
  private readonly words: Uint8Array;

  constructor(from: number | SharedArrayBuffer) {
    this.shared = typeof from === "number" ? new SharedArrayBuffer(Math.ceil(from / 8)) : from;
    this.words = new Uint8Array(this.shared);
  }

  /** False for integers outside the set's range, too. */
  has(i: number): boolean {
    return ((this.words[Math.floor(i / 8)] ?? 0) & (1 << (i & 7))) !== 0;
  }

  /** Does nothing for an integer outside the set's range, like `delete`. */
  add(i: number): void {
    const at = Math.floor(i / 8);
    this.words[at] = (this.words[at] ?? 0) | (1 << (i & 7));
  }

  delete(i: number): void {
    const at = Math.floor(i / 8);
    this.words[at] = (this.words[at] ?? 0) & ~(1 << (i & 7));
  }
}
