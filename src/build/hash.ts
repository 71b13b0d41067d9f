import { Worker } from "node:worker_threads";
import type { HashTask } from "./hash-thread.ts";

/** sha256 of a file, worked out by a thread of its own. */
export interface Hashing {
  /** Lowercase hex. */
  readonly digest: Promise<string>;
  /** Ends the thread when nobody wants to know any more; the descriptor may be closed afterwards. */
  stop(): Promise<void>;
}

export function startHashing(task: HashTask): Hashing {
  const thread = new Worker(new URL("./hash-thread.js", import.meta.url), { workerData: task });
  const digest = new Promise<string>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  digest.catch(() => {}); // whoever waits for it hears it
  return {
    digest,
    stop: async () => {
      await thread.terminate();
    },
  };
}
