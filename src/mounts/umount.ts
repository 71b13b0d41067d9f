import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { mountAt } from "./table.ts";

const run = promisify(execFile);

/** Longest a umount(8) may take; it waits for nobody but the kernel. */
const TIMEOUT_MS = 10_000;

/** umount(8) without helpers; throws an Error with its words. Never call it from a thread that serves. */
async function umount(flags: readonly string[], mountpoint: string): Promise<void> {
  await run("umount", ["-i", ...flags, mountpoint], {
    timeout: TIMEOUT_MS,
    env: { ...process.env, LC_ALL: "C" },
  });
}

/** Takes the mount out of the tree at once: nobody new gets in, those inside go on. */
export const detach = (mountpoint: string): Promise<void> => umount(["-l"], mountpoint);

export type Unmounted = "unmounted" | "detached" | "absent";

/**
 * Unmounts, or detaches when someone is still inside.
 *
 * @param device of the mount that is meant: another that took its place stays
 * @throws Error with umount(8)'s words when neither works
 */
export async function unmount(mountpoint: string, device?: string): Promise<Unmounted> {
  const isThere = () => {
    const mount = mountAt(mountpoint);
    return mount !== undefined && (device === undefined || mount.device === device);
  };
  if (!isThere()) return "absent";
  try {
    await umount([], mountpoint);
    return "unmounted";
  } catch {
    if (!isThere()) return "absent";
    await detach(mountpoint);
    return "detached";
  }
}
