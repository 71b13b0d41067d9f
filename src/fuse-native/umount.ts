import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const TIMEOUT_MS = 10_000;

/**
 * Unmounts, or detaches when someone is still inside, without being root: the setuid program `fusermount`
 * lets the mount's owner do it.
 *
 * @throws Error with its words
 */
export async function fusermount(mountpoint: string): Promise<"unmounted" | "detached"> {
  try {
    await run("fusermount", ["-u", mountpoint], { timeout: TIMEOUT_MS });
    return "unmounted";
  } catch {
    await run("fusermount", ["-u", "-z", mountpoint], { timeout: TIMEOUT_MS });
    return "detached";
  }
}
