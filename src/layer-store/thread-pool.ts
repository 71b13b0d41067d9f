import { availableParallelism } from "node:os";
import type { StoreObserver } from "./observer.ts";
import { StoreThread, type WorkOptions } from "./thread-handle.ts";
import type { ResultOf, StoreTask } from "./tasks.ts";

/** Idle threads hold some megabytes each, and start in the time that a small layer takes. */
const IDLE_MS = 5_000;

/** Containers wait for all but new layers. */
const isUrgent = (task: StoreTask): boolean => task.do !== "convert" || task.own !== undefined;

interface Waiting {
  readonly isUrgent: boolean;
  readonly start: (thread: StoreThread) => void;
  readonly giveUp: (reason: Error) => void;
}

/**
 * The threads that work for a store: as many as there are CPUs, and one more for what a container waits for. They start when they
 * are needed, and end when they are not.
 */
export class ThreadPool {
  private readonly most = availableParallelism();
  private readonly idle = new Map<StoreThread, NodeJS.Timeout>();
  private readonly busy = new Set<StoreThread>();
  private readonly queue: Waiting[] = [];
  private readonly observer: StoreObserver;
  private readonly tasks = new Set<StoreTask>();
  private closed: Error | undefined;

  constructor(observer: StoreObserver) {
    this.observer = observer;
  }

  /** Work that waits or is being done. */
  underWay = (): readonly StoreTask[] => [...this.tasks];

  /** @throws what the work throws; the reason of the signal, once the thread that did it has ended */
  async run<Task extends StoreTask>(task: Task, options: WorkOptions): Promise<ResultOf<Task>> {
    const asked = performance.now();
    this.tasks.add(task);
    try {
      const thread = await this.turn(isUrgent(task), options.signal);
      const begun = performance.now();
      try {
        const result = (await thread.run(task, options)) as ResultOf<Task>;
        this.observer.did(task, result, begun - asked, performance.now() - begun);
        return result;
      } finally {
        this.release(thread);
      }
    } finally {
      this.tasks.delete(task);
    }
  }

  /** Ends all threads. @param reason what work rejects with, that under way and any that comes */
  async close(reason: Error): Promise<void> {
    this.closed = reason;
    for (const { giveUp } of this.queue.splice(0)) giveUp(reason);
    const all = [...this.busy, ...this.idle.keys()];
    for (const timer of this.idle.values()) clearTimeout(timer);
    this.idle.clear();
    await Promise.all(all.map((thread) => thread.end(reason)));
  }

  private turn(isUrgent: boolean, signal: AbortSignal): Promise<StoreThread> {
    return new Promise((resolve, reject) => {
      if (this.closed !== undefined || signal.aborted) return reject(this.closed ?? signal.reason);
      const leave = () => {
        this.queue.splice(this.queue.indexOf(waiting), 1);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        isUrgent,
        start: (thread) => {
          signal.removeEventListener("abort", leave);
          resolve(thread);
        },
        giveUp: reject,
      };
      signal.addEventListener("abort", leave, { once: true });
      this.queue.push(waiting);
      this.startNext();
    });
  }

  private startNext(): void {
    const next = this.queue.find(({ isUrgent }) => isUrgent) ?? this.queue[0];
    if (next === undefined || this.busy.size >= this.most + (next.isUrgent ? 1 : 0)) return;
    this.queue.splice(this.queue.indexOf(next), 1);
    const thread = this.take();
    this.busy.add(thread);
    next.start(thread);
  }

  private take(): StoreThread {
    const [found] = this.idle;
    if (found === undefined) return new StoreThread();
    const [thread, timer] = found;
    clearTimeout(timer);
    this.idle.delete(thread);
    return thread;
  }

  private release(thread: StoreThread): void {
    this.busy.delete(thread);
    if (thread.isAlive) {
      const end = () => {
        this.idle.delete(thread);
        void thread.end(new Error("idle"));
      };
      this.idle.set(thread, setTimeout(end, IDLE_MS).unref());
    }
    this.startNext();
  }
}
