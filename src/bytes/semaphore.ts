/** Lets only so much work be under way; the rest follows in the order in which it came. */
export class Semaphore {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  /** @param most pieces of work at a time; with one, what it has looked at is still so when it changes something */
  constructor(most = 1) {
    this.free = most;
  }

  /** Resolves, or rejects, as `work` does. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free--;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free++;
      else next();
    }
  }
}
