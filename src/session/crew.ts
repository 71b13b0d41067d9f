import type { Worker } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import { answerLost } from "../fuse/lost-request.ts";
import type { Logger } from "../log/log.ts";
import { nowOf } from "../counters/inflight.ts";
import type { Change } from "./change.ts";
import type { Ended } from "./ended.ts";
import { MAX_SPARES, slotOfWorker } from "./spares.ts";
import type { Stage } from "./stage.ts";
import type { WorkerTask } from "./worker-task.ts";
import { follow, type Left, type Listener, startWorker } from "./worker-thread.ts";

/** After a worker could not be started. */
const AGAIN_MS = 1_000;

/** A task but for what is one worker's, and what has its images at the moment. */
type CommonTask = Omit<WorkerTask, "index" | "slot" | "isSpare" | "images" | "changes">;

/** What workers are given, and what is made of what they tell. */
export interface Service {
  readonly task: CommonTask;
  readonly stage: Stage;
  /** All images that there are when it is called. */
  readonly images: () => Change;
  readonly heard: Listener;
  readonly log: Logger;
}

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
  /** Indexes of the workers that were given a task and have not ended. */
  private readonly serving = new Set<number>();
  private service: Service | undefined;
  private end: Ended | undefined;
  private resolveEnded: (ended: Ended) => void = () => {};
  /** Until when nobody is started, because that failed. */
  private notBefore = 0;

  /** @param most spare workers that there may be, none of them at first */
  constructor(limit: number, most = MAX_SPARES) {
    this.limit = limit;
    this.most = limit + most;
    this.ended = new Promise((resolve) => {
      this.resolveEnded = resolve;
    });
  }

  /** Workers that were given a task and have not ended. */
  get workers(): number {
    return this.serving.size;
  }

  /** Those beyond the limit. */
  get spares(): number {
    return Math.max(0, this.serving.size - this.limit);
  }

  indices(): Iterable<number> {
    return this.serving.keys();
  }

  /** Gives the first worker its task; later ones get theirs when they join. */
  serve(service: Service): void {
    this.service = service;
    this.enlist(this.first, service);
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
    if (this.serving.size === 0) await this.first.terminate();
  }

  private join(most: number): boolean {
    const { service } = this;
    if (service === undefined || this.workers >= most || this.end !== undefined) return false;
    if (performance.now() < this.notBefore) return false;
    try {
      this.enlist(startWorker(), service);
      return true;
    } catch (error) {
      this.cannot(messageOf(error), service);
      return false;
    }
  }

  private enlist(worker: Worker, service: Service): void {
    const { task, stage, images, heard, log } = service;
    const index = this.freeIndex();
    this.serving.add(index);
    const isSpare = index >= this.limit;
    const own = {
      index,
      slot: slotOfWorker(index, this.limit),
      isSpare,
      maxOpen: isSpare ? 1 : task.maxOpen,
    };
    const changes = stage.subscribe(index);
    const whole: WorkerTask = { ...task, ...own, images: images(), changes };
    follow(worker, whole, heard, log).then((how) => {
      stage.unsubscribe(index);
      if (how.how === "failed") answerLost(task.fd, nowOf(task.doing, index));
      this.left(index, how, service);
    });
  }

  /** No descriptor or no thread is left. Said once: it is tried again as long as it would help. */
  private cannot(message: string, { log }: Service): void {
    if (this.notBefore === 0) log.warn(`no other worker can be started: ${message}`);
    this.notBefore = performance.now() + AGAIN_MS;
  }

  private freeIndex(): number {
    let index = 0;
    while (this.serving.has(index)) index++;
    return index;
  }

  private left(index: number, left: Left, service: Service): void {
    this.serving.delete(index);
    if (left.how === "never began") this.cannot(left.message, service);
    else if (left.how !== "retired")
      if (this.end === undefined || (left.how === "failed" && this.end.how !== "failed")) this.end = left;
    if (this.serving.size === 0 && this.end !== undefined) this.resolveEnded(this.end);
  }
}
