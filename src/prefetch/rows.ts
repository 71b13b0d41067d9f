/** Rows of numbers that grow by doubling, outside the heap: a thread's is small, an image's files are many. */
export class Rows {
  private data: Float64Array;
  private readonly width: number;
  private count = 0;

  /** @param from numbers a row; or rows that are there already, of `width` each */
  constructor(width: number, from?: Float64Array) {
    this.width = width;
    this.data = from ?? new Float64Array(64 * width);
    this.count = from === undefined ? 0 : from.length / width;
  }

  get length(): number {
    return this.count;
  }

  add(...row: number[]): void {
    const at = this.count++ * this.width;
    if (at === this.data.length) {
      const grown = new Float64Array(2 * at);
      grown.set(this.data);
      this.data = grown;
    }
    this.data.set(row, at);
  }

  /** 0 for a row that there is not. */
  get(row: number, column: number): number {
    return this.data[row * this.width + column] ?? 0;
  }

  /** A copy of what was added. */
  toArray(): Float64Array {
    return this.data.slice(0, this.count * this.width);
  }
}
