import { NEAR } from "./push-board.ts";

/** Readers that are followed at once. */
const STREAMS = 8;
/** Files handed over at first, doubled each time the reader gets through them. */
const FIRST_WINDOW = 32;
const MAX_WINDOW = 512;

/** Places `[from, to)` to hand over next; empty when from ≥ to. */
export interface Span {
  from: number;
  to: number;
}

/**
 * Follows readers through the data order, the way the kernel's read-ahead follows offsets in a file: a read
 * just ahead of the last one continues a stream, the second one starts it, and its window doubles each time
 * the reader arrives at the end of what it was given.
 */
export class Streams {
  private readonly last = new Int32Array(STREAMS).fill(-1000);
  /** One past the last place handed over. */
  private readonly end = new Int32Array(STREAMS).fill(-1);
  private readonly window = new Int32Array(STREAMS);
  private next = 0;

  /** Takes a read of `place` and says what to hand over now. */
  follow(place: number, into: Span): void {
    into.from = 0;
    into.to = 0;
    for (let s = 0; s < STREAMS; s++) {
      const reach = Math.max(this.last[s], this.end[s] - 1);
      if (place <= this.last[s] || place > reach + NEAR) continue;
      this.last[s] = place;
      // Still inside: those files were on their way when the reader came.
      if (place < this.end[s] - 1) return;
      this.window[s] = this.end[s] < 0 ? FIRST_WINDOW : Math.min(this.window[s] * 2, MAX_WINDOW);
      into.from = Math.max(place + 1, this.end[s]);
      into.to = place + 1 + this.window[s];
      this.end[s] = into.to;
      return;
    }
    const s = this.next++ % STREAMS;
    this.last[s] = place;
    this.end[s] = -1;
  }
}
