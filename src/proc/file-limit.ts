import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";

/**
 * Sets how many files this process may have open. Node has no call for it, so prlimit(1) does it from
 * outside.
 *
 * @throws OperationalError naming the limit when it is not allowed
 */
export function setOpenFiles(limit: number): void {
  const child = spawnSync("prlimit", ["--pid", String(process.pid), `--nofile=${limit}:${limit}`], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  if (child.status === 0) return;
  const why = child.error ? child.error.message : child.stderr.trim().split("\n")[0];
  throw new OperationalError(`--rlimit-nofile ${limit}: ${why}; a lower limit or 0 (leave it) will do`);
}

/** Files that this process may have open. */
export function openFileLimit(): number {
  const limit = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return limit === "unlimited" ? Number.POSITIVE_INFINITY : Number(limit);
}
