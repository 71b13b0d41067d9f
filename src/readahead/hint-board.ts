import type { RankTable } from "../vfs/data-order.ts";

/** Words that workers and the readahead thread share. */
const HINTS = 0; //     grows with each hint; the readahead thread sleeps on it
const ORDERED = 1; //   1 while the rank table is filled and a readahead thread follows hints
const STOP = 2; //      1 when the readahead thread is to end
const FRUITLESS = 3; // grows when a hint led to nothing
const WORDS = 4;
/** Hints wait in a ring; what a slow readahead thread misses is read by its readers. */
const RING = 256;
/** Reads of one worker that are remembered to tell a sequential reader from chance. */
const RECENT = 8;
/** A rank this little ahead of a recent one belongs to the same reader. */
export const NEAR = 16;
/** Data this little ahead of a recent read's belongs to the same reader, while there are no ranks yet. */
const NEAR_BYTES = 512 * 1024;
/**
 * Reads near the one before, less twice those that were not, after which ordering an image is worth it. A program
 * that starts reads in no order for long: readahead that started then would take its CPU (0.29 instead of 0.22 s).
 */
const WORTH_ORDERING = 128;
/** Reads that give no hint after a fruitless one. */
const PAUSE = 512;

/** Buffers that workers and the readahead thread share. */
export interface HintBoardBuffers {
  readonly words: SharedArrayBuffer;
  readonly ranks: SharedArrayBuffer;
}

/** @param nodes how many node numbers there may be */
export const newHintBoard = (nodes: number): HintBoardBuffers => ({
  words: new SharedArrayBuffer(4 * (WORDS + RING)),
  ranks: new SharedArrayBuffer(4 * nodes),
});

/**
 * Where workers say which files are read in data order: a hint is the rank of one that was. It costs them a store and a
 * few comparisons; the readahead thread is woken only for a read that follows another.
 */
export class HintBoard {
  readonly ranks: RankTable;
  private readonly words: Int32Array;
  private readonly recent = new Int32Array(RECENT).fill(-1000);
  private readonly onWorth: () => void;
  private hasListed = false;
  private readonly positions = new Float64Array(RECENT).fill(-NEAR_BYTES);
  private evidence = 0;
  private reads = 0;
  private fruitless = 0;
  private pause = 0;

  /** @param onWorth called when readahead may pay and no thread does it: one may be started then */
  constructor(buffers: HintBoardBuffers, onWorth: () => void = () => {}) {
    this.onWorth = onWorth;
    this.words = new Int32Array(buffers.words);
    this.ranks = new Int32Array(buffers.ranks);
  }

  /** Called by a worker that listed a directory: only then does the kernel know files before they are read. */
  noteListing(): void {
    this.hasListed = true;
  }

  /** Called by a worker for each READ that begins at byte 0. @param position of its data (`FileSystem.readFrom`) */
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
    const rank = this.ranks[node] - 1;
    if (!(rank >= 0)) return;
    let isNear = false;
    for (let i = 0; i < RECENT; i++) {
      const step = rank - this.recent[i];
      if (step > 0 && step <= NEAR) isNear = true;
    }
    this.recent[this.reads % RECENT] = rank;
    if (isNear) this.hint(rank);
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

  /** Ends the readahead thread, which is woken for it. */
  stop(): void {
    Atomics.store(this.words, STOP, 1);
    this.hint(-1);
  }

  isStopped(): boolean {
    return Atomics.load(this.words, STOP) === 1;
  }

  /** The rank table is filled and a readahead thread follows hints, or not any more. */
  setOrdered(isOrdered: boolean): void {
    Atomics.store(this.words, ORDERED, isOrdered ? 1 : 0);
  }

  /** A hint led to no file that could be stored: workers pause. */
  noteFruitless(): void {
    Atomics.add(this.words, FRUITLESS, 1);
  }

  /** Number of hints so far. */
  hints(): number {
    return Atomics.load(this.words, HINTS);
  }

  /** Sleeps until there are more than `hints`. @returns false when none came for `ms` */
  wait(hints: number, ms: number): boolean {
    return Atomics.wait(this.words, HINTS, hints, ms) !== "timed-out";
  }

  /** Hint number `n`: a rank, or -1 for a bare wake-up. */
  hintAt(n: number): number {
    return this.words[WORDS + ((n >>> 0) % RING)];
  }

  /** Hints that may still be in the ring. */
  static readonly ring = RING;

  private hint(rank: number): void {
    const n = Atomics.load(this.words, HINTS);
    this.words[WORDS + ((n >>> 0) % RING)] = rank;
    Atomics.add(this.words, HINTS, 1);
    Atomics.notify(this.words, HINTS);
  }
}
