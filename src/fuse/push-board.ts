import type { PlaceTable } from "../vfs/data-order.ts";

/** Words shared by workers and pusher. */
const POSTED = 0; //   grows with each posted place; the pusher sleeps on it
const ORDERED = 1; //  1 while a pusher has the place table filled
const ENDED = 2; //    1 when the pusher is to leave
const FRUITLESS = 3; // grows when a post led to nothing
const WORDS = 4;
/** Posted places wait in a ring; what a slow pusher misses is served the ordinary way. */
const RING = 256;
/** Reads of one worker that are remembered to tell a sequential reader from chance. */
const RECENT = 8;
/** A place this little ahead of a recent one belongs to the same reader. */
export const NEAR = 16;
/** Data this little ahead of a recent read's belongs to the same reader, while there are no places yet. */
const NEAR_BYTES = 512 * 1024;
/**
 * Reads near the one before, less twice those that were not, after which ordering an image is worth it. A program
 * that starts reads in no order for long: a pusher that started then would take its CPU (0.29 instead of 0.22 s).
 */
const WORTH_ORDERING = 128;
/** Reads that are not posted after a fruitless one. */
const PAUSE = 512;

/** Buffers that workers and the pusher share. */
export interface BoardBuffers {
  readonly words: SharedArrayBuffer;
  readonly places: SharedArrayBuffer;
}

/** @param nodes how many node numbers there may be */
export const newBoard = (nodes: number): BoardBuffers => ({
  words: new SharedArrayBuffer(4 * (WORDS + RING)),
  places: new SharedArrayBuffer(4 * nodes),
});

/**
 * Where workers say which files are read in data order, and the pusher listens. Posting is a store and a few
 * comparisons; the pusher is woken only for a read that follows another.
 */
export class PushBoard {
  readonly places: PlaceTable;
  private readonly words: Int32Array;
  private readonly recent = new Int32Array(RECENT).fill(-1000);
  private readonly onWorth: () => void;
  private hasListed = false;
  private readonly positions = new Float64Array(RECENT).fill(-NEAR_BYTES);
  private evidence = 0;
  private reads = 0;
  private fruitless = 0;
  private pause = 0;

  /** @param onWorth told when a pusher may pay and there is none: one may be started then */
  constructor(buffers: BoardBuffers, onWorth: () => void = () => {}) {
    this.onWorth = onWorth;
    this.words = new Int32Array(buffers.words);
    this.places = new Int32Array(buffers.places);
  }

  /** Told by a worker that a directory was listed: only then does the kernel know files before they are read. */
  noteListing(): void {
    this.hasListed = true;
  }

  /** Told by a worker of each READ that begins at byte 0, and where its data lies (`FileSystem.readFrom`). */
  noteRead(node: number, position: number): void {
    if (!this.hasListed) return;
    this.reads++;
    if (this.words[ORDERED] === 0) {
      this.gather(position);
      return;
    }
    if (this.words[FRUITLESS] !== this.fruitless) {
      this.fruitless = this.words[FRUITLESS];
      this.pause = PAUSE;
    }
    if (this.pause > 0) {
      this.pause--;
      return;
    }
    const place = this.places[node] - 1;
    if (!(place >= 0)) return;
    let isNear = false;
    for (let i = 0; i < RECENT; i++) {
      const step = place - this.recent[i];
      if (step > 0 && step <= NEAR) isNear = true;
    }
    this.recent[this.reads % RECENT] = place;
    if (isNear) this.post(place);
  }

  /** Tells a reader that follows the data from others before there is an order. */
  private gather(position: number): void {
    let isNear = false;
    for (let i = 0; i < RECENT; i++) {
      const step = position - this.positions[i];
      if (step > 0 && step <= NEAR_BYTES) isNear = true;
    }
    this.positions[this.reads % RECENT] = position;
    this.evidence = isNear ? this.evidence + 1 : Math.max(0, this.evidence - 2);
    if (this.evidence < WORTH_ORDERING) return;
    this.evidence = 0;
    this.onWorth();
  }

  /** Wakes the pusher to leave. */
  end(): void {
    Atomics.store(this.words, ENDED, 1);
    this.post(-1);
  }

  isEnded(): boolean {
    return Atomics.load(this.words, ENDED) === 1;
  }

  /** The place table is filled and somebody listens, or not any more. */
  setOrdered(isOrdered: boolean): void {
    Atomics.store(this.words, ORDERED, isOrdered ? 1 : 0);
  }

  /** A post led to no file that could be pushed: workers pause. */
  noteFruitless(): void {
    Atomics.add(this.words, FRUITLESS, 1);
  }

  /** Number of posts so far. */
  posted(): number {
    return Atomics.load(this.words, POSTED);
  }

  /** Sleeps until more than `posted` were posted. @returns false when nothing came for `ms` */
  wait(posted: number, ms: number): boolean {
    return Atomics.wait(this.words, POSTED, posted, ms) !== "timed-out";
  }

  /** The place of post number `n`, -1 for a bare wake-up. */
  at(n: number): number {
    return this.words[WORDS + ((n >>> 0) % RING)];
  }

  /** Posts that may still be in the ring. */
  static readonly ring = RING;

  private post(place: number): void {
    const n = Atomics.load(this.words, POSTED);
    this.words[WORDS + ((n >>> 0) % RING)] = place;
    Atomics.add(this.words, POSTED, 1);
    Atomics.notify(this.words, POSTED);
  }
}
