import { Worker } from "node:worker_threads";
import { messageOf } from "../bytes/errors.ts";
import type { Logger } from "../log/log.ts";
import type { Ended } from "./ended.ts";
import type { WorkerEvent, WorkerTask } from "./worker-task.ts";

/** Threads of a session need few objects: small heaps keep the daemon's memory down. */
export const LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 };

/** What to do with what workers tell. */
export type WorkerListener = {
  readonly [T in Exclude<WorkerEvent["type"], "ended">]: (event: Extract<WorkerEvent, { type: T }>) => void;
};

/** How a worker ended: with the session, or because it is not needed any more, or before it could do anything. */
export type WorkerEnd = Ended | EndOfOne<"retired"> | EndOfOne<"never began">;
interface EndOfOne<How> {
  readonly how: How;
  readonly message: string;
}

export const startWorker = (): Worker =>
  new Worker(new URL("./worker.js", import.meta.url), { resourceLimits: LIMITS });

/** Hands a worker its task and listens to it until it ends. */
export function follow(
  worker: Worker,
  task: WorkerTask,
  listener: WorkerListener,
  log: Logger,
): Promise<WorkerEnd> {
  return new Promise((resolve) => {
    let end: WorkerEnd = { how: "failed", message: "the worker exited" };
    const fail = (message: string) => {
      log.error(`a worker failed: ${message}`);
      resolve({ how: "failed", message });
    };
    worker.on("message", (event: WorkerEvent) => {
      if (event.type === "ended") {
        const { ending, message } = event;
        if (ending === "failed") fail(message);
        else if (ending === "retired")
          end = { how: ending, message }; // another takes its place when it does nothing there any more
        else resolve({ how: ending, message });
      } else (listener[event.type] as (event: WorkerEvent) => void)(event);
    });
    let hasBegun = task.index === 0; // started long before it was followed
    worker.once("online", () => {
      hasBegun = true;
    });
    worker.once("error", (error) => {
      if (hasBegun) fail(messageOf(error));
      else resolve({ how: "never began", message: messageOf(error) });
    });
    worker.once("exit", () => resolve(end));
    worker.postMessage(task, [task.changes]);
  });
}
