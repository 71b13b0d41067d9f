/** A wait for a request this short means that it was there already, or came at once. */
const WAS_WAITING_MS = 0.005;
/** Changes of caller between two samples that tell callers side by side from one that is fast. */
const SIDE_BY_SIDE = 4;
/** Samples that found a request waiting, less twice those that did not, from which the queue counts as contended. */
const CONTENDED = 6;
/** A request that took this long kept others waiting: it counts for three. */
const SLOW_MS = 2;

/**
 * Tells from samples of one worker's time whether another worker would help. One is best for one caller at a
 * time (two workers would alternate, each with cold caches); more are for callers side by side and for slow disks.
 */
export class ContentionDetector {
  private score = 0;
  private caller = 0;
  private changes = 0;

  /** Called for each request. @param caller its thread */
  note(caller: number): void {
    if (caller === this.caller) return;
    this.caller = caller;
    this.changes++;
  }

  /**
   * Called for some requests.
   *
   * @param waited how long the worker waited for it, ms
   * @param served how long it then took, ms
   * @returns true when another worker would help; then it has to be shown again
   */
  sample(waited: number, served: number): boolean {
    const isWaiting = waited < WAS_WAITING_MS && this.changes >= SIDE_BY_SIDE;
    this.changes = 0;
    if (!isWaiting) this.score = Math.max(0, this.score - 2);
    else this.score += served > SLOW_MS ? 3 : 1;
    if (this.score < CONTENDED) return false;
    this.score = 0;
    return true;
  }
}
