import type { LoggedRead } from "./read-log.ts";

/** Pages are read whole: two reads that begin in the same one are the same piece. */
const GRANULE = 4096;

/** Which pieces of which files were seen already. A page that was evicted and read again is no first read. */
export class FirstReads {
  private readonly seen = new Map<number, Set<number>>();
  private readonly limit: number;
  private count = 0;
  private over = 0;

  /** @param limit pieces that are told apart, and so the lines of a trace; later ones are counted and left out */
  constructor(limit = 1 << 20) {
    this.limit = limit;
  }

  /** Whether nothing was read there before. */
  isFirst({ node, offset }: LoggedRead): boolean {
    const piece = Math.floor(offset / GRANULE);
    let pieces = this.seen.get(node);
    if (pieces?.has(piece)) return false;
    if (this.count >= this.limit) {
      this.over++;
      return false;
    }
    if (pieces === undefined) {
      pieces = new Set();
      this.seen.set(node, pieces);
    }
    pieces.add(piece);
    this.count++;
    return true;
  }

  get files(): number {
    return this.seen.size;
  }

  get pieces(): number {
    return this.count;
  }

  /** Reads beyond the limit. */
  get dropped(): number {
    return this.over;
  }
}
