import { Worker } from "node:worker_threads";
import type { HashTask } from "./hash-thread.ts";

/** sha256 of a part of a file, worked out by a thread of its own. */
export interface Hashing {
  /** Tells that there are so many bytes by now. */
  grow(size: number): void;
  /** Lowercase hex. @param size of all bytes: no more will come */
  digest(size: number): Promise<string>;
  /** Ends the thread, also before it is done; the descriptor may be closed afterwards. */
  stop(): Promise<void>;
}

/**
 * @param at where in the file the bytes begin
 * @param done a cell in shared memory, told how many bytes are done
 */
export function startHashing(fd: number, at: number, done?: Float64Array): Hashing {
  const limit = new Float64Array(new SharedArrayBuffer(8));
  const isWhole = new Int32Array(new SharedArrayBuffer(4));
  const task: HashTask = { fd, at, limit, isWhole, done };
  const thread = new Worker(new URL("./hash-thread.js", import.meta.url), { workerData: task });
  const digest = new Promise<string>((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
  });
  digest.catch(() => {}); // a caller that awaits it gets the error; without one it is no crash
  return {
    grow: (size) => {
      limit[0] = size;
      Atomics.notify(isWhole, 0);
    },
    digest: (size) => {
      limit[0] = size;
      Atomics.store(isWhole, 0, 1);
      Atomics.notify(isWhole, 0);
      return digest;
    },
    stop: async () => {
      await thread.terminate();
    },
  };
}
