import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { codeOf } from "../bytes/errors.ts";
import type { Unmounted } from "./umount.ts";

const exec = promisify(execFile);
const TIMEOUT_MS = 10_000;
/** Of libfuse 3 and 2. */
const PROGRAMS = ["fusermount3", "fusermount"] as const;
const ABSENT = `there is no ${PROGRAMS.join(" and no ")}`;

/** @returns why a mount cannot be left without being root, undefined when it can */
export const fusermountTrouble = (): string | undefined =>
  PROGRAMS.some((program) => spawnSync(program, ["-V"], { timeout: TIMEOUT_MS }).status === 0)
    ? undefined
    : ABSENT;

/**
 * Unmounts, or detaches when a program is still inside, without being root: this setuid program lets the owner of a
 * mount do it, the user of the mount option user_id.
 *
 * @throws Error with what it says
 */
export async function fusermount(mountpoint: string): Promise<Unmounted> {
  try {
    await run(["-u", mountpoint]);
    return "unmounted";
  } catch {
    await run(["-u", "-z", mountpoint]);
    return "detached";
  }
}

async function run(args: readonly string[]): Promise<void> {
  for (const program of PROGRAMS)
    try {
      await exec(program, args, { timeout: TIMEOUT_MS });
      return;
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
  throw new Error(ABSENT);
}
