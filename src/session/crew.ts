import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import { answerLost } from "../fuse/lost-request.ts";
import type { Logger } from "../log/log.ts";
import { countersOf } from "../metrics/counters.ts";
import type { Change, Numbered } from "./change.ts";
import type { Ended } from "./ended.ts";
import type { WorkerEvent, WorkerTask } from "./worker-task.ts";

/** Threads of a session need few objects: small heaps keep the daemon's memory down. */
export const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 };

/** What to do with what workers tell. */
export type Listener = {
  readonly [T in Exclude<WorkerEvent["type"], "ended">]: (event: Extract<WorkerEvent, { type: T }>) => void;
};

/** A task but for the worker's number, and what has its images at the moment. */
export type CommonTask = Omit<WorkerTask, "index" | "images" | "changes">;

/**
 * The workers of one session. The first is started at once, without a task: that takes as long as checking an
 * image, so both happen at the same time. Others join when they would help, up to a limit.
 */
export class Crew {
  readonly limit: number;
  /** Resolves when every worker has ended: with the first failure, else with how the first one ended. */
  readonly ended: Promise<Ended>;
  private readonly first = start();
  private size = 0;
  private active = 0;
  private end: Ended | undefined;
  private onEnd: (ended: Ended) => void = () => {};
  private enlist: (worker: Worker) => void = () => {};
  private readonly changes: MessagePort[] = [];

  constructor(limit: number) {
    this.limit = limit;
    this.ended = new Promise((resolve) => {
      this.onEnd = resolve;
    });
  }

  /** Workers that were given a task. */
  get workers(): number {
    return this.size;
  }

  /**
   * Gives the first worker its task; later ones get theirs when they join.
   *
   * @param images all that there are when it is called
   */
  serve(task: CommonTask, images: () => Change, heard: Listener, log: Logger): void {
    this.enlist = (worker) => {
      const { port1, port2 } = new MessageChannel();
      this.changes.push(port1);
      const index = this.size++;
      this.active++;
      const whole: WorkerTask = { ...task, index, images: images(), changes: port2 };
      follow(worker, whole, heard, log).then((how) => {
        port1.close();
        if (how.how === "failed") answerLost(task.fd, countersOf(task.counters, index));
        this.left(how);
      });
    };
    this.enlist(this.first);
  }

  /** Each worker will have it before its next request, once it is told so (CONTROL.CHANGE). */
  send(change: Numbered): void {
    for (const port of this.changes) port.postMessage(change);
  }

  /** @returns false when the crew is complete, or ending */
  grow(): boolean {
    if (this.size >= this.limit || this.end !== undefined) return false;
    this.enlist(start());
    return this.size < this.limit;
  }

  /** Ends the first worker when it has no task; one that serves cannot be ended this way. */
  async close(): Promise<void> {
    if (this.size === 0) await this.first.terminate();
  }

  private left(how: Ended): void {
    if (this.end === undefined || (how.how === "failed" && this.end.how !== "failed")) this.end = how;
    if (--this.active === 0) this.onEnd(this.end);
  }
}

const start = (): Worker => new Worker(new URL("./worker.js", import.meta.url), { resourceLimits: LIMITS });

/** Hands a worker its task and listens to it until it ends. */
function follow(worker: Worker, task: WorkerTask, heard: Listener, log: Logger): Promise<Ended> {
  return new Promise((resolve) => {
    const fail = (message: string) => {
      log.error(`a worker failed: ${message}`);
      resolve({ how: "failed", message });
    };
    worker.on("message", (event: WorkerEvent) => {
      if (event.type === "ended") {
        if (event.ending === "failed") fail(event.message);
        else resolve({ how: event.ending, message: event.message });
      } else (heard[event.type] as (event: WorkerEvent) => void)(event);
    });
    worker.once("error", (error) => fail(messageOf(error)));
    worker.once("exit", () => resolve({ how: "failed", message: "the worker exited" }));
    worker.postMessage(task, [task.changes]);
  });
}
