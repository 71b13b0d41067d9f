import type { PlaceTable } from "../vfs/data-order.ts";

/** Slots of the control words. */
const POSTED = 0; //  grows with each posted place; the pusher sleeps on it
const ORDERED = 1; // 1 once the place table is filled
const ENDED = 2; //   1 when the pusher is to leave
const CONTROL = 4;
/** Posted places wait in a ring; what a slow pusher misses is served the ordinary way. */
const RING = 256;
/** Reads of one worker that are remembered to tell a sequential reader from chance. */
const RECENT = 8;
/** A place this little ahead of a recent one belongs to the same reader. */
export const NEAR = 16;
/** Reads of whole small files before ordering an image is worth it. */
const WORTH_ORDERING = 32;

/** Buffers that workers and the pusher share. */
export interface BoardBuffers {
  readonly control: SharedArrayBuffer;
  readonly places: SharedArrayBuffer;
}

/** @param nodes how many node numbers there may be */
export const newBoard = (nodes: number): BoardBuffers => ({
  control: new SharedArrayBuffer(4 * (CONTROL + RING)),
  places: new SharedArrayBuffer(4 * nodes),
});

/**
 * Where workers say which files are read in data order, and the pusher listens. Posting is a store and a
 * comparison; the pusher is woken only for a read that follows another.
 */
export class PushBoard {
  readonly places: PlaceTable;
  private readonly control: Int32Array;
  private readonly recent = new Int32Array(RECENT).fill(-1000);
  private readonly onWorth: () => void;
  private reads = 0;

  /** @param onWorth told once there were so many reads that a pusher may pay; it may be started then */
  constructor(buffers: BoardBuffers, onWorth: () => void = () => {}) {
    this.onWorth = onWorth;
    this.control = new Int32Array(buffers.control);
    this.places = new Int32Array(buffers.places);
  }

  /** Told by a worker of each READ that begins at byte 0. */
  noteRead(node: number): void {
    this.reads++;
    if (this.control[ORDERED] === 0) {
      if (this.reads === WORTH_ORDERING) {
        this.post(-1);
        this.onWorth();
      }
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

  /** Wakes the pusher to leave. */
  end(): void {
    Atomics.store(this.control, ENDED, 1);
    this.post(-1);
  }

  isEnded(): boolean {
    return Atomics.load(this.control, ENDED) === 1;
  }

  setOrdered(): void {
    Atomics.store(this.control, ORDERED, 1);
  }

  /** Number of posts so far. */
  posted(): number {
    return Atomics.load(this.control, POSTED);
  }

  /** Sleeps until more than `posted` were posted. */
  wait(posted: number): void {
    Atomics.wait(this.control, POSTED, posted);
  }

  /** The place of post number `n`, -1 for a bare wake-up. */
  at(n: number): number {
    return this.control[CONTROL + ((n >>> 0) % RING)];
  }

  /** Posts that may still be in the ring. */
  static readonly ring = RING;

  private post(place: number): void {
    const n = Atomics.load(this.control, POSTED);
    this.control[CONTROL + ((n >>> 0) % RING)] = place;
    Atomics.add(this.control, POSTED, 1);
    Atomics.notify(this.control, POSTED);
  }
}
