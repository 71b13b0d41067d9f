import { Worker } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import { errorOf, stopThread } from "../mkfs/threads.ts";
import { NotConvertible } from "./not-convertible.ts";
import type { BlobPiece, ResultOf, StoreTask, ThreadMessage } from "./tasks.ts";

/** How work is to be done. */
export interface WorkOptions {
  readonly signal: AbortSignal;
  readonly warn: (message: string) => void;
  /** The bytes of a blob that comes as messages. */
  readonly input?: (() => AsyncIterable<Uint8Array>) | undefined;
}

interface Current {
  readonly warn: (message: string) => void;
  readonly input: AsyncIterator<Uint8Array> | undefined;
  readonly resolve: (result: ResultOf<StoreTask>) => void;
  readonly reject: (error: unknown) => void;
}

/** A thread that works for a store, seen from the main thread: one task at a time. */
export class StoreThread {
  /** May be given work. */
  isAlive = true;
  private readonly worker = new Worker(new URL("./store-thread.js", import.meta.url));
  private current: Current | undefined;
  private reason: unknown = new Error("its thread ended");

  constructor() {
    this.worker.unref();
    this.worker.on("message", (said: ThreadMessage) => this.hear(said));
    this.worker.on("error", (error) => this.lose(error));
    this.worker.on("exit", () => this.lose(this.reason));
  }

  /** @throws what the work throws; the reason of the signal, when the thread has ended because of it */
  async run(task: StoreTask, { signal, warn, input }: WorkOptions): Promise<ResultOf<StoreTask>> {
    const iterator = input?.()[Symbol.asyncIterator]();
    const stop = () => void this.end(signal.reason);
    this.worker.ref();
    try {
      return await new Promise((resolve, reject) => {
        this.current = { warn, input: iterator, resolve, reject };
        if (!this.isAlive) return reject(this.reason);
        this.worker.postMessage(task);
        if (signal.aborted) stop();
        else signal.addEventListener("abort", stop, { once: true });
      });
    } finally {
      signal.removeEventListener("abort", stop);
      this.current = undefined;
      this.worker.unref();
      iterator?.return?.().catch(() => {}); // whoever sends it is told that nobody reads any more
    }
  }

  /** @param reason what its task rejects with */
  async end(reason: unknown): Promise<void> {
    this.isAlive = false; // also while its last task may still come to an end by itself
    this.reason = reason;
    await stopThread(this.worker);
  }

  private lose(reason: unknown): void {
    this.isAlive = false;
    this.reason = reason;
    this.current?.reject(reason);
  }

  private hear(said: ThreadMessage): void {
    const { current } = this;
    if (said.say === "more") void this.feed(current);
    else if (said.say === "warning") current?.warn(said.message);
    else if (said.say === "done") current?.resolve(said.result);
    else {
      const error = errorOf(said.failure);
      current?.reject(said.isLayers ? new NotConvertible(error.message, { cause: error }) : error);
    }
  }

  private async feed(current: Current | undefined): Promise<void> {
    let piece: BlobPiece;
    try {
      const next = await current?.input?.next();
      // A copy: it may be a part of a message, and what is handed over is gone here.
      piece =
        next === undefined || next.done === true ? { end: true } : { bytes: new Uint8Array(next.value) };
    } catch (error) {
      piece = { lost: messageOf(error) };
    }
    // It came too late for its task: the next one has an input of its own.
    if (this.current !== current) return;
    this.worker.postMessage(piece, "bytes" in piece ? [piece.bytes.buffer] : []);
  }
}
