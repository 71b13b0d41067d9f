import { Worker } from "node:worker_threads";
import { hashFile, type HashTask } from "./hash-file.ts";

/** Bytes that are worth a thread: one starts in the time that it takes to hash as much (measured). */
export const WORTH_A_THREAD = 16 << 20;

/** The sha256 of a part of a file that may still be growing: a long one is worked out by a thread of its own. */
export class Hashing {
  private readonly task: HashTask;
  private thread: Worker | undefined;
  private digested: Promise<string> = Promise.resolve("");

  /**
   * @param at where in the file the bytes begin
   * @param done a cell in shared memory, told how many bytes are done
   */
  constructor(fd: number, at: number, done?: Float64Array) {
    const limit = new Float64Array(new SharedArrayBuffer(8));
    const isWhole = new Int32Array(new SharedArrayBuffer(4));
    this.task = { fd, at, limit, isWhole, done };
  }

  /** Tells that there are so many bytes by now. */
  grow(size: number): void {
    const { limit, isWhole } = this.task;
    limit[0] = size;
    if (this.thread === undefined && size >= WORTH_A_THREAD) this.start();
    Atomics.notify(isWhole, 0);
  }

  /** Lowercase hex. @param size of all bytes: no more will come */
  async digest(size: number): Promise<string> {
    this.grow(size);
    Atomics.store(this.task.isWhole, 0, 1);
    Atomics.notify(this.task.isWhole, 0);
    return this.thread === undefined ? hashFile(this.task) : this.digested;
  }

  /** Ends the thread, also before it is done; the descriptor may be closed afterwards. */
  async stop(): Promise<void> {
    await this.thread?.terminate();
  }

  private start(): void {
    const thread = new Worker(new URL("./hash-thread.js", import.meta.url), { workerData: this.task });
    this.thread = thread;
    this.digested = new Promise((resolve, reject) => {
      thread.once("message", resolve);
      thread.once("error", reject);
    });
    this.digested.catch(() => {}); // a caller that awaits it gets the error; without one it is no crash
  }
}
