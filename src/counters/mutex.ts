/** Lets one thread at a time count in a row that several share. Never held while something else is waited for. */
export class Mutex {
  private readonly words: Int32Array;
  private readonly at: number;

  /** @param at the word that is 1 while a thread holds it; it has no other use */
  constructor(words: Int32Array, at: number) {
    this.words = words;
    this.at = at;
  }

  lock(): void {
    while (Atomics.compareExchange(this.words, this.at, 0, 1) !== 0) Atomics.wait(this.words, this.at, 1);
  }

  unlock(): void {
    Atomics.store(this.words, this.at, 0);
    Atomics.notify(this.words, this.at, 1);
  }
}
