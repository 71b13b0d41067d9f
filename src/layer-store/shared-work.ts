interface Shared<T> {
  readonly result: Promise<T>;
  readonly stop: AbortController;
  askers: number;
}

/** Work that several ask for is done once, and is stopped when all of them have given it up. */
export class SharedWork<T> {
  private readonly underWay = new Map<string, Shared<T>>();

  /**
   * @param key the same for the same work
   * @param begin its signal is aborted when nobody wants the result any more; what it rejects with then is not told
   * @returns the result; rejects with the reason of `signal`, for the last asker not before the work has ended
   */
  async ask(key: string, signal: AbortSignal, begin: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const shared = this.underWay.get(key) ?? this.begin(key, begin);
    shared.askers++;
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        if (--shared.askers > 0) return reject(signal.reason);
        this.forget(key, shared);
        shared.stop.abort(signal.reason);
        const over = () => reject(signal.reason);
        shared.result.then(over, over);
      };
      signal.addEventListener("abort", leave, { once: true });
      const stay = () => signal.removeEventListener("abort", leave);
      shared.result.finally(stay).then(
        (result) => !signal.aborted && resolve(result),
        (error) => !signal.aborted && reject(error),
      );
    });
  }

  private begin(key: string, begin: (signal: AbortSignal) => Promise<T>): Shared<T> {
    const stop = new AbortController();
    const shared: Shared<T> = { result: begin(stop.signal), stop, askers: 0 };
    this.underWay.set(key, shared);
    const forget = () => this.forget(key, shared);
    shared.result.then(forget, forget);
    return shared;
  }

  private forget(key: string, shared: Shared<T>): void {
    if (this.underWay.get(key) === shared) this.underWay.delete(key);
  }
}
