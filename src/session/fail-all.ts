import { once } from "node:events";
import { Worker } from "node:worker_threads";

/**
 * Answers EIO to everything, in a thread: its reads block.
 *
 * @param device of a mount that another process made
 * @returns resolves when the mount is gone
 */
export function failAll(device: number): Promise<unknown> {
  const thread = new Worker(new URL("./fail-all-thread.js", import.meta.url));
  thread.postMessage(device);
  return once(thread, "exit");
}
