import type { Worker } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import { inflightRow } from "../counters/inflight.ts";
import { answerLost } from "../fuse/lost-requests.ts";
import type { Logger } from "../log/log.ts";
import type { Change } from "./change.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Ended } from "./ended.ts";
import type { Publisher } from "./publisher.ts";
import { counterRowOf, MAX_OVERFLOW } from "./worker-limits.ts";
import type { WorkerTask } from "./worker-task.ts";
import { follow, startWorker, type WorkerEnd, type WorkerListener } from "./worker-handle.ts";

/** After a worker could not be started. */
const RETRY_MS = 1_000;

/** A task but for what differs between workers. */
type CommonTask = Omit<WorkerTask, "index" | "counterRow" | "isOverflow" | "images" | "changes">;

/** What workers are given, and what is made of what they tell. */
export interface PoolService {
  readonly task: CommonTask;
  readonly publisher: Pick<Publisher, "subscribe" | "unsubscribe">;
  /** All images that there are when it is called. */
  readonly images: () => Change;
  readonly listener: WorkerListener;
  /** Has the workers end that still serve; called once. */
  readonly endServing: () => void;
  readonly log: Logger;
}

/** What the pool does not do by itself. */
interface PoolDeps {
  readonly start: () => Worker;
  readonly clock: Clock;
}

/**
 * The workers of one session. The first is started at once, without a task: that takes as long as checking an
 * image, so both happen at the same time. The main thread starts more when they would help, up to a limit; beyond it,
 * overflow workers when all others are blocked, which leave again.
 */
export class WorkerPool {
  /** Most workers without overflow workers. */
  readonly limit: number;
  /** Resolves when every worker has ended: with the first failure, else with how the first one ended. */
  readonly ended: Promise<Ended>;
  private readonly most: number;
  private readonly deps: PoolDeps;
  private readonly first: Worker;
  /** Indexes of the workers that were given a task and have not ended. */
  private readonly serving = new Set<number>();
  private service: PoolService | undefined;
  private end: Ended | undefined;
  /** Only overflow workers are left, and were told to end. */
  private isEnding = false;
  private resolveEnded: (ended: Ended) => void = () => {};
  /** The last worker could not be started: when the next may be. */
  private retryAt: number | undefined;

  /** @param overflow most overflow workers, none of them at first */
  constructor(
    limit: number,
    overflow = MAX_OVERFLOW,
    deps: PoolDeps = { start: startWorker, clock: systemClock },
  ) {
    this.limit = limit;
    this.most = limit + overflow;
    this.deps = deps;
    this.first = deps.start();
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

  /** Gives the first worker its task; later ones get theirs when they are started. */
  serve(service: PoolService): void {
    this.service = service;
    this.assign(this.first, service);
  }

  /** Starts a worker below the limit. @returns false when there can be no more of these, or the session is ending */
  grow(): boolean {
    this.spawn(this.limit);
    return this.workers < this.limit && this.end === undefined;
  }

  /** Starts workers, also beyond the limit. @returns how many */
  growOverflow(count: number): number {
    let started = 0;
    while (started < count && this.spawn(this.most)) started++;
    return started;
  }

  /** Ends the first worker when it has no task; one that serves cannot be ended this way. */
  async close(): Promise<void> {
    if (this.serving.size === 0) await this.first.terminate();
  }

  private spawn(most: number): boolean {
    const { service, retryAt, deps } = this;
    if (service === undefined || this.workers >= most || this.end !== undefined) return false;
    if (retryAt !== undefined && deps.clock.now() < retryAt) return false;
    try {
      this.assign(deps.start(), service);
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
    // In this order: a change is in the snapshot or comes by the port.
    const changes = publisher.subscribe(index);
    const whole: WorkerTask = { ...task, ...own, images: images(), changes };
    const followed = follow(worker, whole, listener, log).then((end) => {
      publisher.unsubscribe(index);
      if (end.how === "failed") answerLost(task.fd, inflightRow(task.inflightTable, index));
      this.workerEnded(index, end, service);
    });
    followed.catch((error: unknown) => log.error(messageOf(error)));
  }

  /** No descriptor or no thread is left. Said once: it is tried again as long as it would help. */
  private spawnFailed(message: string, { log }: PoolService): void {
    if (this.retryAt === undefined) log.warn(`no other worker can be started: ${message}`);
    this.retryAt = this.deps.clock.now() + RETRY_MS;
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
    if (this.end === undefined) return;
    if (this.serving.size === 0) this.resolveEnded(this.end);
    else if (this.end.how === "failed") this.endOverflow(service);
  }

  /** After a failure: overflow workers keep one file open each, and leave by themselves only when enough others serve. */
  private endOverflow(service: PoolService): void {
    if (this.isEnding || Math.min(...this.serving) < this.limit) return;
    this.isEnding = true;
    service.endServing();
  }
}
