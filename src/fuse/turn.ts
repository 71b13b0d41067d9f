/** Lets one thread at a time count in a slot that several share. Never kept while something else is waited for. */
export class Turn {
  private readonly words: Int32Array;
  private readonly at: number;

  /** @param at the word that is 1 while somebody has it; nobody else uses it */
  constructor(words: Int32Array, at: number) {
    this.words = words;
    this.at = at;
  }

  take(): void {
    while (Atomics.compareExchange(this.words, this.at, 0, 1) !== 0) Atomics.wait(this.words, this.at, 1);
  }

  give(): void {
    Atomics.store(this.words, this.at, 0);
    Atomics.notify(this.words, this.at, 1);
  }
}
