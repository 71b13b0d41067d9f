import { EventEmitter } from "node:events";
import { closeSync, openSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newControl } from "../../src/fuse/control.ts";
import { newInflight } from "../../src/counters/inflight.ts";
import { type PoolService, WorkerPool } from "../../src/session/worker-pool.ts";
import type { WorkerTask } from "../../src/session/worker-task.ts";
import { ManualClock, newLog, settled } from "./support.ts";

/** A thread that a test plays. */
class FakeWorker extends EventEmitter {
  task: WorkerTask | undefined;
  isTerminated = false;

  postMessage(task: WorkerTask): void {
    this.task = task;
  }

  async terminate(): Promise<number> {
    this.isTerminated = true;
    return 1;
  }

  /** Its loop ends, and then the thread. */
  async end(ending: string, message = ""): Promise<void> {
    this.emit("message", { type: "ended", ending, message });
    this.emit("exit", 0);
    await settled();
  }
}

let fd = -1;
beforeAll(() => {
  fd = openSync("/dev/null", "w");
});
afterAll(() => closeSync(fd));

/** @param start what starting a thread does from the second one on */
function newPool(limit: number, overflow: number, start: (worker: FakeWorker) => void = () => {}) {
  const clock = new ManualClock();
  const log = newLog();
  const workers: FakeWorker[] = [];
  const pool = new WorkerPool(limit, overflow, {
    clock,
    start: () => {
      const worker = new FakeWorker();
      if (workers.length > 0) start(worker);
      workers.push(worker);
      return worker as unknown as Worker;
    },
  });
  const subscribed: string[] = [];
  const service = {
    task: { fd, control: newControl(8), inflightTable: newInflight(8), maxOpen: 100 },
    publisher: {
      subscribe: (index: number) => {
        subscribed.push(`+${index}`);
        return new EventEmitter();
      },
      unsubscribe: (index: number) => subscribed.push(`-${index}`),
    },
    images: () => ({ tree: {}, images: [] }),
    listener: {},
    endServing: () => subscribed.push("end"),
    log,
  } as unknown as PoolService;
  return { pool, clock, log, workers, subscribed, serve: () => pool.serve(service) };
}

describe("a pool of workers", () => {
  it("starts the first before it has a task, and others when they are asked for", () => {
    const { pool, workers, serve } = newPool(3, 0);
    expect([workers.length, workers[0].task, pool.workers]).toEqual([1, undefined, 0]);
    expect([pool.grow(), workers.length]).toEqual([true, 1]);
    serve();
    expect([pool.grow(), pool.grow(), pool.grow()]).toEqual([true, false, false]);
    expect(workers.map(({ task }) => task?.index)).toEqual([0, 1, 2]);
  });

  it("starts overflow workers beyond its limit, which share a row of counters and keep one file open", () => {
    const { pool, workers, serve } = newPool(2, 2);
    serve();
    expect([pool.growOverflow(2), pool.overflow]).toEqual([2, 1]);
    expect([pool.growOverflow(8), pool.overflow]).toEqual([1, 2]);
    expect(workers.map(({ task }) => [task?.counterRow, task?.isOverflow, task?.maxOpen])).toEqual([
      [0, false, 100],
      [1, false, 100],
      [2, true, 1],
      [2, true, 1],
    ]);
  });

  it("gives the index of an overflow worker that retired to the next, once its thread has ended", async () => {
    const { pool, workers, subscribed, serve } = newPool(1, 2);
    serve();
    pool.growOverflow(2);
    workers[1].emit("message", { type: "ended", ending: "retired", message: "" });
    await settled();
    expect(pool.workers).toBe(3);
    workers[1].emit("exit", 0);
    await settled();
    expect([pool.workers, pool.growOverflow(1), workers[3].task?.index]).toEqual([2, 1, 1]);
    expect(subscribed).toEqual(["+0", "+1", "+2", "-1", "+1"]);
  });

  it("has overflow workers end when all others have ended and one failed, once", async () => {
    const { pool, workers, subscribed, serve } = newPool(2, 2);
    serve();
    pool.growOverflow(3);
    await workers[1].end("failed");
    expect(subscribed).toEqual(["+0", "+1", "+2", "+3", "-1"]);
    await workers[0].end("failed");
    expect(subscribed.slice(5)).toEqual(["-0", "end"]);
    await workers[2].end("stopped");
    expect(subscribed.slice(7)).toEqual(["-2"]);
    await workers[3].end("stopped");
    expect((await pool.ended).how).toBe("failed");
  });

  it("tries again a second after a worker could not be started, and says it once", async () => {
    let isFull = true;
    const { pool, clock, log, serve } = newPool(4, 0, () => {
      if (isFull) throw new Error("EAGAIN");
    });
    serve();
    expect([pool.grow(), pool.workers]).toEqual([true, 1]);
    isFull = false;
    await clock.advance(999);
    pool.grow();
    expect(pool.workers).toBe(1);
    await clock.advance(1);
    pool.grow();
    expect(pool.workers).toBe(2);
    isFull = true;
    await clock.advance(1_000);
    pool.grow();
    expect(log.lines).toEqual(["warn no other worker can be started: EAGAIN"]);
  });

  it("goes on without a worker whose thread ended before it began", async () => {
    const { pool, clock, log, workers, serve } = newPool(2, 0);
    serve();
    pool.grow();
    workers[1].emit("error", new Error("ENOMEM"));
    await settled();
    expect([pool.workers, log.lines]).toEqual([1, ["warn no other worker can be started: ENOMEM"]]);
    pool.grow();
    expect(workers).toHaveLength(2);
    await clock.advance(1_000);
    pool.grow();
    expect(workers).toHaveLength(3);
  });

  it("ends the first worker when it got no task, and never one that serves", async () => {
    const idle = newPool(1, 0);
    await idle.pool.close();
    const serving = newPool(1, 0);
    serving.serve();
    await serving.pool.close();
    expect([idle.workers[0].isTerminated, serving.workers[0].isTerminated]).toEqual([true, false]);
  });
});

describe("a session has ended when all workers have", () => {
  const cases = [
    { name: "with what the first one said", ends: ["unmounted", "aborted"], want: "unmounted" },
    { name: "with a failure, if there was one", ends: ["unmounted", "failed"], want: "failed" },
    { name: "with a failure, whatever comes after it", ends: ["failed", "aborted"], want: "failed" },
    { name: "with the first failure", ends: ["failed", "failed"], want: "failed" },
    { name: "not with one that retired", ends: ["retired", "stopped"], want: "stopped" },
  ];
  it.each(cases)("$name", async ({ ends, want }) => {
    const { pool, workers, serve } = newPool(2, 0);
    let ended: unknown;
    void pool.ended.then((end) => {
      ended = end;
    });
    serve();
    pool.grow();
    await workers[1].end(ends[0], "first");
    pool.grow();
    expect([ended, workers.length]).toEqual([undefined, ends[0] === "retired" ? 3 : 2]);
    const rest = workers.filter((_, i) => i !== 1);
    for (const worker of rest) await worker.end(ends[1], "later");
    expect(ended).toEqual({ how: want, message: want === ends[0] ? "first" : "later" });
  });
});
