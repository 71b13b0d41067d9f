const FIRST = 1 << 16;

/** Bytes of names, symlink targets and xattrs, one after the other; only ever added to. */
export class Pool {
  bytes = new Uint8Array(FIRST);
  private used = 0;

  /** @returns where the copy is */
  add(from: Uint8Array, at: number, length: number): number {
    const to = this.reserve(length);
    for (let i = 0; i < length; i++) this.bytes[to + i] = from[at + i];
    return to;
  }

  /** Makes room for `length` zero bytes; `bytes` may be another array afterwards. */
  reserve(length: number): number {
    const at = this.used;
    this.used += length;
    if (this.used > this.bytes.length) {
      const longer = new Uint8Array(Math.max(this.used, Math.ceil(this.bytes.length * 1.5)));
      longer.set(this.bytes);
      this.bytes = longer;
    }
    return at;
  }
}
