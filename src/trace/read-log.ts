/** Records that wait to be taken; what comes while the ring is full is counted and lost. */
const CAPACITY = 1 << 15;
/** Node, offset and length in bytes, ms since 1970. */
const FIELDS = 4;
const HEAD_BYTES = 16;
const WRITTEN = 0;
const TAKEN = 1;
const DROPPED = 2;

/** @param capacity a power of two */
export const newReadLog = (capacity = CAPACITY): SharedArrayBuffer =>
  new SharedArrayBuffer(HEAD_BYTES + 8 * FIELDS * capacity);

/** A read that was answered, by number. */
export interface LoggedRead {
  readonly node: number;
  readonly offset: number;
  readonly length: number;
  /** ms since 1970. */
  readonly at: number;
}

/** What one thread has read, for another one to take: a ring in shared memory with one writer and one reader. */
export class ReadLog {
  private readonly head: Int32Array;
  private readonly records: Float64Array;
  private readonly mask: number;

  constructor(shared: SharedArrayBuffer) {
    this.head = new Int32Array(shared, 0, HEAD_BYTES / 4);
    this.records = new Float64Array(shared, HEAD_BYTES);
    this.mask = this.records.length / FIELDS - 1;
  }

  /** Called by the writing thread. No allocation: it stands between a request and its answer. */
  add(node: number, offset: number, length: number, at: number): void {
    const written = Atomics.load(this.head, WRITTEN);
    if (((written - Atomics.load(this.head, TAKEN)) | 0) > this.mask) {
      Atomics.add(this.head, DROPPED, 1);
      return;
    }
    const record = (written & this.mask) * FIELDS;
    this.records[record] = node;
    this.records[record + 1] = offset;
    this.records[record + 2] = length;
    this.records[record + 3] = at;
    Atomics.store(this.head, WRITTEN, (written + 1) | 0);
  }

  /** Takes all that is there, the oldest first. */
  take(): LoggedRead[] {
    const written = Atomics.load(this.head, WRITTEN);
    const reads: LoggedRead[] = [];
    let taken = Atomics.load(this.head, TAKEN);
    for (; taken !== written; taken = (taken + 1) | 0) {
      // The mask keeps all four inside.
      const record = (taken & this.mask) * FIELDS;
      const field = (i: number) => this.records[record + i] as number;
      reads.push({ node: field(0), offset: field(1), length: field(2), at: field(3) });
    }
    Atomics.store(this.head, TAKEN, taken);
    return reads;
  }

  get dropped(): number {
    return Atomics.load(this.head, DROPPED);
  }
}
