import { setTimeout as sleep } from "node:timers/promises";
import type { Ended } from "./ended.ts";
import type { Stage } from "./stage.ts";

/** Between two tries to wake who waits for a request. */
const WAKE_MS = 20;
/** For those that wait for a request to be woken. */
const IDLE_MS = 2_000;
/** For those that wait for a disk. */
const BUSY_MS = 30_000;

/**
 * Wakes threads that were told to leave until all have.
 *
 * @returns false when some would not
 */
export async function drain(stage: Stage, ended: Promise<Ended>): Promise<boolean> {
  let isOver = false;
  const over = ended.then(() => {
    isOver = true;
  });
  const begin = performance.now();
  while (!isOver) {
    const ms = performance.now() - begin;
    if (ms > BUSY_MS || (ms > IDLE_MS && !stage.isAnswering)) return false;
    if (!stage.isAnswering) stage.wakeOne();
    await Promise.race([over, sleep(WAKE_MS)]);
  }
  return true;
}
