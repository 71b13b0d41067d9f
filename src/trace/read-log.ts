/** Records that wait to be taken; what comes while all places are taken is counted and lost. */
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

  /** Told by the writer. No allocation: it stands between a request and its answer. */
  add(node: number, offset: number, length: number, at: number): void {
    const written = this.head[WRITTEN];
    if (((written - Atomics.load(this.head, TAKEN)) | 0) > this.mask) {
      this.head[DROPPED]++;
      return;
    }
    const place = (written & this.mask) * FIELDS;
    this.records[place] = node;
    this.records[place + 1] = offset;
    this.records[place + 2] = length;
    this.records[place + 3] = at;
    Atomics.store(this.head, WRITTEN, (written + 1) | 0);
  }

  /** Takes all that is there, the oldest first. */
  take(): LoggedRead[] {
    const written = Atomics.load(this.head, WRITTEN);
    const reads: LoggedRead[] = [];
    let taken = this.head[TAKEN];
    for (; taken !== written; taken = (taken + 1) | 0) {
      const [node, offset, length, at] = this.records.subarray((taken & this.mask) * FIELDS);
      reads.push({ node, offset, length, at });
    }
    Atomics.store(this.head, TAKEN, taken);
    return reads;
  }

  get dropped(): number {
    return this.head[DROPPED];
  }
}
