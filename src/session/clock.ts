import { setTimeout as sleep } from "node:timers/promises";

/** Time, so that tests can stand in for it. */
export interface Clock {
  /** ms since 1970, which never go back. */
  now(): number;
  /** Calls back once, unless nothing else keeps the process alive. @returns cancels it */
  after(ms: number, callBack: () => void): () => void;
  sleep(ms: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after: (ms, callBack) => {
    const timer = setTimeout(callBack, ms).unref();
    return () => clearTimeout(timer);
  },
  sleep: async (ms) => sleep(ms),
};
