import type { Worker } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import { answerLost } from "../fuse/lost-request.ts";
import type { Logger } from "../log/log.ts";
import { inflightRow } from "../counters/inflight.ts";
import type { Change } from "./change.ts";
import type { Ended } from "./ended.ts";
import type { Publisher } from "./publisher.ts";
import type { WorkerTask } from "./worker-task.ts";
import { follow, type WorkerEnd, type WorkerListener, startWorker } from "./worker-thread.ts";

/**
 * Most workers beyond `--fuse-threads`, which come when all are blocked in READs and leave when they are not needed.
 * Each takes about 10 MB. The kernel hands over at most as many read-aheads at once (fuse/init, MAX_BACKGROUND), so
 * that files that are read through the page cache never block the last worker.
 */
export const MAX_OVERFLOW = 64;

/** Most workers that there can be. @param limit without spare ones */
export const maxWorkers = (limit: number): number => limit + MAX_OVERFLOW;

/** Where a worker counts: a slot of its own, but for spare ones, which share one and take turns. */
const counterRowOf = (index: number, limit: number): number => Math.min(index, limit);

/** Slots of what workers count; the pusher's follows. */
export const counterRows = (limit: number): number => limit + 1;

/** After a worker could not be started. */
const AGAIN_MS = 1_000;

/** A task but for what is one worker's, and what has its images at the moment. */
type CommonTask = Omit<WorkerTask, "index" | "counterRow" | "isOverflow" | "images" | "changes">;

/** What workers are given, and what is made of what they tell. */
export interface PoolService {
  readonly task: CommonTask;
  readonly publisher: Publisher;
  /** All images that there are when it is called. */
  readonly images: () => Change;
  readonly listener: WorkerListener;
  readonly log: Logger;
}

/**
 * The workers of one session. The first is started at once, without a task: that takes as long as checking an
 * image, so both happen at the same time. Others join when they would help, up to a limit; beyond it, spare ones join
 * when all are blocked, and leave again.
 */
export class WorkerPool {
  /** Most workers without spare ones. */
  readonly limit: number;
  private readonly most: number;
  /** Resolves when every worker has ended: with the first failure, else with how the first one ended. */
  readonly ended: Promise<Ended>;
  private readonly first = startWorker();
  /** Indexes of the workers that were given a task and have not ended. */
  private readonly serving = new Set<number>();
  private service: PoolService | undefined;
  private end: Ended | undefined;
  private resolveEnded: (ended: Ended) => void = () => {};
  /** Until when nobody is started, because that failed. */
  private retryAt = 0;

  /** @param most spare workers that there may be, none of them at first */
  constructor(limit: number, most = MAX_OVERFLOW) {
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
  get overflow(): number {
    return Math.max(0, this.serving.size - this.limit);
  }

  indices(): Iterable<number> {
    return this.serving.keys();
  }

  /** Gives the first worker its task; later ones get theirs when they join. */
  serve(service: PoolService): void {
    this.service = service;
    this.assign(this.first, service);
  }

  /** @returns false when the pool is complete, or ending */
  grow(): boolean {
    this.spawn(this.limit);
    return this.workers < this.limit && this.end === undefined;
  }

  /** Others join, spare ones if need be. @returns how many */
  growOverflow(count: number): number {
    let joined = 0;
    while (joined < count && this.spawn(this.most)) joined++;
    return joined;
  }

  /** Ends the first worker when it has no task; one that serves cannot be ended this way. */
  async close(): Promise<void> {
    if (this.serving.size === 0) await this.first.terminate();
  }

  private spawn(most: number): boolean {
    const { service } = this;
    if (service === undefined || this.workers >= most || this.end !== undefined) return false;
    if (performance.now() < this.retryAt) return false;
    try {
      this.assign(startWorker(), service);
      return true;
    } catch (error) {
      this.spawnFailed(messageOf(error), service);
      return false;
    }
  }

  private assign(worker: Worker, service: PoolService): void {
    const { task, publisher, images, listener, log } = service;
    const index = this.freeIndex();
    this.serving.add(index);
    const isOverflow = index >= this.limit;
    const own = {
      index,
      counterRow: counterRowOf(index, this.limit),
      isOverflow,
      maxOpen: isOverflow ? 1 : task.maxOpen,
    };
    const changes = publisher.subscribe(index);
    const whole: WorkerTask = { ...task, ...own, images: images(), changes };
    void follow(worker, whole, listener, log).then((how) => {
      publisher.unsubscribe(index);
      if (how.how === "failed") answerLost(task.fd, inflightRow(task.inflightTable, index));
      this.workerEnded(index, how, service);
    });
  }

  /** No descriptor or no thread is left. Said once: it is tried again as long as it would help. */
  private spawnFailed(message: string, { log }: PoolService): void {
    if (this.retryAt === 0) log.warn(`no other worker can be started: ${message}`);
    this.retryAt = performance.now() + AGAIN_MS;
  }

  private freeIndex(): number {
    let index = 0;
    while (this.serving.has(index)) index++;
    return index;
  }

  private workerEnded(index: number, end: WorkerEnd, service: PoolService): void {
    this.serving.delete(index);
    if (end.how === "never began") this.spawnFailed(end.message, service);
    else if (end.how !== "retired")
      if (this.end === undefined || (end.how === "failed" && this.end.how !== "failed")) this.end = end;
    if (this.serving.size === 0 && this.end !== undefined) this.resolveEnded(this.end);
  }
}
