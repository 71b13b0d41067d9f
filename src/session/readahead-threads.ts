import { Worker } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import { HintBoard } from "../readahead/hint-board.ts";
import type { SharedImage } from "./change.ts";
import type { ReadaheadTask } from "./readahead-thread.ts";
import type { WorkerEvent } from "./worker-task.ts";
import { LIMITS } from "./worker-handle.ts";

/** How long the thread may take to leave; it does nothing that waits once it is told to. */
const LEAVE_MS = 2_000;

interface Running {
  readonly slot: number;
  readonly board: HintBoard;
  /** Resolves when the thread has ended. */
  readonly gone: Promise<unknown>;
  readonly thread: Worker;
}

/**
 * The readahead thread of a session: one, for one image at a time, started when a sequential reader was seen, so that
 * other sessions do not pay for it. It leaves by itself when there is no such reader any more.
 */
export class ReadaheadThreads {
  private readonly fd: number;
  private readonly index: number;
  private readonly log: Logger;
  private running: Running | undefined;
  private isOver = false;

  /** @param index its slot of the counters */
  constructor(fd: number, index: number, log: Logger) {
    this.fd = fd;
    this.index = index;
    this.log = log;
  }

  start(image: SharedImage): void {
    const { board } = image;
    if (board === undefined || this.running !== undefined || this.isOver) return;
    const running = this.run({ ...image, fd: this.fd, index: this.index, board });
    this.running = running;
    void running.gone.then(() => {
      if (this.running === running) this.running = undefined;
    });
  }

  /** Resolves when no thread pushes the image in a slot. */
  async stop(slot: number): Promise<void> {
    if (this.running?.slot === slot) await end(this.running);
  }

  /** Resolves when no thread pushes anything, nor ever will. */
  async close(): Promise<void> {
    this.isOver = true;
    if (this.running !== undefined) await end(this.running);
  }

  private run(task: ReadaheadTask): Running {
    const thread = new Worker(new URL("./readahead-thread.js", import.meta.url), { resourceLimits: LIMITS });
    thread.on("error", (error) => this.log.error(`the readahead thread failed: ${messageOf(error)}`));
    thread.on("message", (event: WorkerEvent) => {
      if (event.type === "ended" && event.ending === "failed")
        this.log.error(`the readahead thread failed: ${event.message}`);
    });
    const gone = new Promise((resolve) => thread.once("exit", resolve));
    thread.postMessage(task);
    return { slot: task.slot, board: new HintBoard(task.board), gone, thread };
  }
}

function end({ board, gone, thread }: Running): Promise<unknown> {
  board.stop();
  const timer = setTimeout(() => thread.terminate(), LEAVE_MS);
  return gone.finally(() => clearTimeout(timer));
}
