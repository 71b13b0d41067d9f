import { Worker } from "node:worker_threads";

/** Words before the bytes of the input at hand. */
export const NUMBER = 0; // of the input, from 1 on; 0: none is at hand
export const LENGTH = 1;
export const WORDS = 2;

/** Longest that one input may take, on a machine that others use, too. */
const PATIENCE_MS = 20_000;

export interface Watch {
  readonly shared: SharedArrayBuffer;
  /** Where inputs are kept that harm. */
  readonly dir: string;
  /** What the target writes, which goes with the process. */
  readonly scratch: string;
  readonly patienceMs: number;
  /** MiB. */
  readonly memory: number;
}

/** Has a thread of its own watch how long inputs take, and what memory. */
export class Guard {
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly worker: Worker;
  private number = 0;

  private constructor(worker: Worker, shared: SharedArrayBuffer) {
    this.worker = worker;
    this.words = new Int32Array(shared, 0, WORDS);
    this.bytes = new Uint8Array(shared, 4 * WORDS);
  }

  /** @param longest input, bytes */
  static async start(
    longest: number,
    watch: Pick<Watch, "dir" | "scratch" | "memory"> & Partial<Watch>,
  ): Promise<Guard> {
    const shared = new SharedArrayBuffer(4 * WORDS + longest);
    const workerData: Watch = { patienceMs: PATIENCE_MS, ...watch, shared };
    const worker = new Worker(new URL("./watchdog.js", import.meta.url), { workerData, execArgv: [] });
    await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    return new Guard(worker, shared);
  }

  /** From now on this input is at hand. */
  hold(input: Uint8Array): void {
    this.bytes.set(input);
    this.words[LENGTH] = input.length;
    Atomics.store(this.words, NUMBER, ++this.number);
  }

  /** No input is at hand. */
  release(): void {
    Atomics.store(this.words, NUMBER, 0);
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }
}
