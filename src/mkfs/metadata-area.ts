import { INODE_SLOT_SIZE as UNIT } from "../erofs/inode.ts";

/**
 * Gives out places of an image's metadata area, in order. What is left free in front of a block boundary is given
 * to later records that fit.
 */
export class MetadataArea {
  /** Bytes from the start of the area; the end so far. */
  end: number;
  private readonly blockSize: number;
  /** Places with `i` free units, the most recent last. */
  private readonly free: number[][];

  constructor(start: number, blockSize: number) {
    this.end = start;
    this.blockSize = blockSize;
    this.free = Array.from({ length: blockSize / UNIT }, () => []);
  }

  /** @param isWhole the record must not cross a block boundary; it has at most a block then */
  record(size: number, isWhole: boolean): number {
    const units = Math.ceil(size / UNIT);
    for (let n = units; n < this.free.length; n++) {
      const at = this.free[n].pop();
      if (at === undefined) continue;
      this.leave(at + units * UNIT, n - units);
      return at;
    }
    if (isWhole && (this.end % this.blockSize) + size > this.blockSize) this.toBlock();
    const at = this.end;
    this.end += units * UNIT;
    return at;
  }

  /** @returns the first of `count` whole blocks */
  blocks(count: number): number {
    this.toBlock();
    const at = this.end;
    this.end += count * this.blockSize;
    return at;
  }

  private toBlock(): void {
    const used = this.end % this.blockSize;
    if (used === 0) return;
    this.leave(this.end, (this.blockSize - used) / UNIT);
    this.end += this.blockSize - used;
  }

  private leave(at: number, units: number): void {
    if (units > 0) this.free[units].push(at);
  }
}
