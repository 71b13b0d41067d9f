import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import { answerLost } from "../fuse/lost-request.ts";
import type { Logger } from "../log/log.ts";
import { nowOf } from "../counters/inflight.ts";
import type { Change, Numbered } from "./change.ts";
import type { Ended } from "./ended.ts";
import { MAX_SPARES, slotOfWorker } from "./spares.ts";
import type { WorkerTask } from "./worker-task.ts";
import { follow, type Left, type Listener, startWorker } from "./worker-thread.ts";

/** After a worker could not be started. */
const AGAIN_MS = 1_000;

/** A task but for what is one worker's, and what has its images at the moment. */
export type CommonTask = Omit<WorkerTask, "index" | "slot" | "isSpare" | "images" | "changes">;

/**
 * The workers of one session. The first is started at once, without a task: that takes as long as checking an
 * image, so both happen at the same time. Others join when they would help, up to a limit; beyond it, spare ones join
 * when all are blocked, and leave again.
 */
export class Crew {
  /** Most workers without spare ones. */
  readonly limit: number;
  private readonly most: number;
  /** Resolves when every worker has ended: with the first failure, else with how the first one ended. */
  readonly ended: Promise<Ended>;
  private readonly first = startWorker();
  /** Where changes are sent, of each worker that was given a task and has not ended, by its index. */
  private readonly ports = new Map<number, MessagePort>();
  private end: Ended | undefined;
  private onEnd: (ended: Ended) => void = () => {};
  private enlist: (worker: Worker) => void = () => {};
  private warn: (message: string) => void = () => {};
  /** Until when nobody is started, because that failed. */
  private notBefore = 0;

  /** @param most spare workers that there may be, none of them at first */
  constructor(limit: number, most = MAX_SPARES) {
    this.limit = limit;
    this.most = limit + most;
    this.ended = new Promise((resolve) => {
      this.onEnd = resolve;
    });
  }

  /** Workers that were given a task and have not ended. */
  get workers(): number {
    return this.ports.size;
  }

  /** Those beyond the limit. */
  get spares(): number {
    return Math.max(0, this.ports.size - this.limit);
  }

  indices(): Iterable<number> {
    return this.ports.keys();
  }

  /**
   * Gives the first worker its task; later ones get theirs when they join.
   *
   * @param images all that there are when it is called
   */
  serve(task: CommonTask, images: () => Change, heard: Listener, log: Logger): void {
    this.warn = (message) => log.warn(message);
    this.enlist = (worker) => {
      const { port1, port2 } = new MessageChannel();
      const index = this.freeIndex();
      this.ports.set(index, port1);
      const isSpare = index >= this.limit;
      const own = {
        index,
        slot: slotOfWorker(index, this.limit),
        isSpare,
        maxOpen: isSpare ? 1 : task.maxOpen,
      };
      const whole: WorkerTask = { ...task, ...own, images: images(), changes: port2 };
      follow(worker, whole, heard, log).then((how) => {
        port1.close();
        if (how.how === "failed") answerLost(task.fd, nowOf(task.doing, index));
        this.left(index, how);
      });
    };
    this.enlist(this.first);
  }

  /** Each worker will have it before its next request, once it is told so (CONTROL.CHANGE). */
  send(change: Numbered): void {
    for (const port of this.ports.values()) port.postMessage(change);
  }

  /** @returns false when the crew is complete, or ending */
  grow(): boolean {
    this.join(this.limit);
    return this.workers < this.limit && this.end === undefined;
  }

  /** Others join, spare ones if need be. @returns how many */
  relieve(count: number): number {
    let joined = 0;
    while (joined < count && this.join(this.most)) joined++;
    return joined;
  }

  /** Ends the first worker when it has no task; one that serves cannot be ended this way. */
  async close(): Promise<void> {
    if (this.ports.size === 0) await this.first.terminate();
  }

  private join(most: number): boolean {
    if (this.workers >= most || this.end !== undefined || performance.now() < this.notBefore) return false;
    try {
      this.enlist(startWorker());
      return true;
    } catch (error) {
      this.cannot(messageOf(error));
      return false;
    }
  }

  /** No descriptor or no thread is left. Said once: it is tried again as long as it would help. */
  private cannot(message: string): void {
    if (this.notBefore === 0) this.warn(`no other worker can be started: ${message}`);
    this.notBefore = performance.now() + AGAIN_MS;
  }

  private freeIndex(): number {
    let index = 0;
    while (this.ports.has(index)) index++;
    return index;
  }

  private left(index: number, left: Left): void {
    this.ports.delete(index);
    if (left.how === "never began") this.cannot(left.message);
    else if (left.how !== "retired")
      if (this.end === undefined || (left.how === "failed" && this.end.how !== "failed")) this.end = left;
    if (this.ports.size === 0 && this.end !== undefined) this.onEnd(this.end);
  }
}
