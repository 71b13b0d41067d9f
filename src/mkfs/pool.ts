import { BudgetExceeded } from "./budget.ts";

const FIRST = 1 << 10;
/** What is more makes an image that no reader takes; and a few bytes of a bootstrap could ask for any number. */
const MOST = 2 ** 30;

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

  /**
   * Makes room for `length` zero bytes; `bytes` may be another array afterwards.
   *
   * @throws BudgetExceeded when it is too much
   */
  reserve(length: number): number {
    const at = this.used;
    if (at + length > MOST)
      throw new BudgetExceeded(`names, symlink targets and extended attributes take more than ${MOST} bytes`);
    this.used += length;
    if (this.used > this.bytes.length) {
      const longer = new Uint8Array(Math.max(this.used, Math.ceil(this.bytes.length * 1.5)));
      longer.set(this.bytes);
      this.bytes = longer;
    }
    return at;
  }
}
