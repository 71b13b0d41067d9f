import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { StartError } from "../bytes/errors.ts";
import { MAX_OVERFLOW } from "../session/worker-pool.ts";

/**
 * Sets how many files this process may have open. Node has no call for it, so prlimit(1) does it from
 * outside.
 *
 * @throws StartError naming the limit when it is not allowed
 */
export function setOpenFiles(limit: number): void {
  const child = spawnSync("prlimit", ["--pid", String(process.pid), `--nofile=${limit}:${limit}`], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  if (child.status === 0) return;
  const why = child.error ? child.error.message : child.stderr.trim().split("\n")[0];
  throw new StartError(`--rlimit-nofile ${limit}: ${why}; a lower limit or 0 (leave it) will do`);
}

/** For all that is no file of an image: what Node has open, connections, programs that unmount. */
const RESERVE = 128;

/** Files that this process may have open. */
export function openFileLimit(): number {
  const limit = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
}

/** Descriptors of a thread that Node starts, and the one file that a spare worker may keep open. */
const SPARE_DESCRIPTORS = 5;

/** Spare workers that this process may have: about a third of its files are theirs. */
export const spareBudget = (limit = openFileLimit()): number =>
  Math.max(0, Math.min(MAX_OVERFLOW, Math.floor((limit - RESERVE) / 14)));

/**
 * How many files of images may be held for all threads, and kept open by each of `threads`: without a rest, the daemon
 * could not even be stopped, because that takes a program.
 */
export function fileBudget(threads: number, limit = openFileLimit()): { held: number; each: number } {
  const free = Math.max(16, limit - RESERVE - SPARE_DESCRIPTORS * spareBudget(limit));
  const each = Math.min(256, Math.max(4, Math.floor(free / 2 / (threads + 1))));
  return { held: Math.min(1024, Math.max(4, Math.floor(free / 2))), each };
}
