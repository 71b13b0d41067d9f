import { NEAR } from "./hint-board.ts";

/** Readers that are followed at once. */
const STREAMS = 8;
/** Files stored at first, doubled each time the reader gets through them. */
const FIRST_WINDOW = 32;
const MAX_WINDOW = 2048;
/** Files left to readers that were faster than the readahead: at first, doubled while they still are. */
const FIRST_LEAD = 32;
const MAX_LEAD = 1024;
const NEVER = 2 ** 31 - 1;

/** Ranks `[from, to)` to store next; none when from ≥ to. */
export interface Span {
  stream: number;
  from: number;
  to: number;
}

/**
 * Follows readers through the data order, the way the kernel's read-ahead follows offsets in a file: a read
 * just ahead of the last one continues a stream, the second one starts it, and its window doubles each time
 * the reader gets through it.
 *
 * Reads of pages that were stored are never seen. So one file late in each window is left out, as the kernel flags a
 * page of its read-ahead (PG_readahead): the READ of this marker lets the next window begin while the reader is still
 * busy with the rest.
 *
 * Racing with readers side by side costs both: a page that is stored and read at once makes one wait for the
 * other. A window that readers got to first therefore makes the next one begin farther ahead of them.
 */
export class Streams {
  private readonly last = new Int32Array(STREAMS).fill(-1000);
  /** One past the last rank to store, -1 before the first. */
  private readonly end = new Int32Array(STREAMS).fill(-1);
  private readonly markers = new Int32Array(STREAMS).fill(NEVER);
  private readonly window = new Int32Array(STREAMS);
  private readonly lead = new Int32Array(STREAMS);
  private next = 0;

  /** Takes a read of `rank` and says what to store now. */
  follow(rank: number, into: Span): void {
    into.from = 0;
    into.to = 0;
    for (let s = 0; s < STREAMS; s++) {
      const reach = this.end[s] < 0 ? this.last[s] : Math.max(this.last[s], this.end[s] - 1);
      if (rank <= this.last[s] || rank > reach + NEAR) continue;
      this.last[s] = rank;
      // Before the marker: those files were on their way when the reader came.
      if (rank < this.markers[s] && rank < this.end[s]) return;
      this.window[s] = this.end[s] < 0 ? FIRST_WINDOW : Math.min(this.window[s] * 2, MAX_WINDOW);
      into.stream = s;
      into.from = Math.max(rank + 1 + this.lead[s], this.end[s]);
      into.to = into.from + this.window[s];
      this.end[s] = into.to;
      this.markers[s] = NEVER;
      return;
    }
    const s = this.next++ % STREAMS;
    this.last[s] = rank;
    this.end[s] = -1;
    this.markers[s] = NEVER;
    this.lead[s] = 0;
  }

  /**
   * Called with how a span went.
   *
   * @returns false when it is of no use to go on: readers were first as far ahead as is tried
   */
  note({ stream }: Span, stored: number, late: number): boolean {
    const lead = this.lead[stream];
    if (stored >= late && stored > 0) this.lead[stream] = lead >> 1;
    else this.lead[stream] = Math.min(Math.max(lead * 2, FIRST_LEAD), MAX_LEAD);
    return stored > 0 || (late > 0 && lead < MAX_LEAD);
  }

  /** Whether `rank` of a span is late enough to be its marker, and there is none yet; it is from now on. */
  isMarker({ stream, from, to }: Span, rank: number): boolean {
    if (this.markers[stream] !== NEVER || rank < from + Math.floor((to - from) / 2)) return false;
    this.markers[stream] = rank;
    return true;
  }
}
