import { openFileLimit } from "../proc/file-limit.ts";
import { MAX_OVERFLOW } from "./worker-limits.ts";

/** For all that is no file of an image: what Node has open, connections, programs that unmount. */
const RESERVE = 128;

/** Descriptors of a thread that Node starts, and the one file that an overflow worker may keep open. */
const OVERFLOW_DESCRIPTORS = 5;

/** Overflow workers that this process may have: about a third of its files are theirs. */
export const overflowBudget = (limit = openFileLimit()): number =>
  Math.max(0, Math.min(MAX_OVERFLOW, Math.floor((limit - RESERVE) / 14)));

/**
 * How many files of images may be held for all threads, and kept open by each of `threads`: without a rest, the daemon
 * could not even be stopped, because that takes a program.
 */
export function fileBudget(threads: number, limit = openFileLimit()): { held: number; each: number } {
  const free = Math.max(16, limit - RESERVE - OVERFLOW_DESCRIPTORS * overflowBudget(limit));
  const each = Math.min(256, Math.max(4, Math.floor(free / 2 / (threads + 1))));
  return { held: Math.min(1024, Math.max(4, Math.floor(free / 2))), each };
}
