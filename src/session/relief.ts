import { inflight } from "../metrics/counters.ts";
import type { Crew } from "./crew.ts";

const LOOK_MS = 100;

/**
 * Calls for another worker when all are inside a request and have been since the last look: a read from a slow disk
 * keeps a worker, which then cannot say that others wait.
 */
export class Relief {
  private readonly timer: NodeJS.Timeout;

  /** @param session counters of its threads */
  constructor(crew: Crew, session: SharedArrayBuffer) {
    this.timer = setInterval(() => {
      const before = performance.timeOrigin + performance.now() - LOOK_MS;
      const stuck = inflight(session).filter(({ since }) => since < before);
      if (stuck.length >= crew.workers && crew.workers > 0) crew.grow();
    }, LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.timer);
  }
}
