/** Lets one piece of work follow another: what it has looked at is still so when it changes something. */
export class Mutex {
  private last: Promise<unknown> = Promise.resolve();

  /** Resolves, or rejects, as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.last.then(work, work);
    this.last = done.catch(() => {});
    return done;
  }
}
