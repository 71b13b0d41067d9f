import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { stopFirst } from "../atomic-file/clean-up.ts";
import { OperationalError } from "../bytes/errors.ts";
import { type HashTask, hashDisk } from "./hash-disk.ts";

/** Bytes that are worth a thread: one starts in about the time that it takes to hash as much. */
const WORTH_A_THREAD = 16 << 20;

/**
 * Has a disk hashed by threads beside this one, which hears signals meanwhile; a short one here.
 *
 * @throws what the first of them throws, when all have ended
 */
export async function hashInThreads(task: HashTask): Promise<void> {
  const count = Math.min(availableParallelism(), Math.floor(task.size / WORTH_A_THREAD));
  if (count === 0) {
    hashDisk(task);
    return;
  }
  const threads = Array.from(
    { length: count },
    () => new Worker(new URL("./hash-disk-thread.js", import.meta.url), { workerData: task }),
  );
  const stop = () => Promise.all(threads.map((thread) => thread.terminate()));
  const mayLeave = stopFirst(stop);
  try {
    await Promise.all(threads.map(ended));
  } finally {
    await stop();
    mayLeave();
  }
}

const ended = (thread: Worker): Promise<void> =>
  new Promise((resolve, reject) => {
    thread.once("error", (error) => reject(new OperationalError(error.message)));
    thread.once("exit", (code) => (code === 0 ? resolve() : reject(new Error("a thread ended"))));
  });
