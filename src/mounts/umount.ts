import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { mountAt } from "./table.ts";
import type { Mountpoint } from "./tracked-mountpoint.ts";

const run = promisify(execFile);

/** Longest a umount(8) may take; it waits for the kernel alone. */
const TIMEOUT_MS = 10_000;

/**
 * umount(8) without helpers, and without a look at the mountpoint (`-c`): its server may be stopped. Throws an Error with its
 * words, and no more. Never call it from a thread that serves.
 */
async function umount(flags: readonly string[], mountpoint: string): Promise<void> {
  try {
    await run("umount", ["-i", "-c", ...flags, mountpoint], {
      timeout: TIMEOUT_MS,
      env: { ...process.env, LC_ALL: "C" },
    });
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? `${error.stderr}` : "";
    const [words = ""] = said.split("\n");
    throw words === "" ? error : new Error(words.replace(/^umount: /, "").replace(`${mountpoint}: `, ""));
  }
}

/** Takes the mount out of the tree at once: no path leads there any more, programs inside go on. */
export const detach = (mountpoint: string): Promise<void> => umount(["-l"], mountpoint);

export type Unmounted = "unmounted" | "detached" | "absent";

/** A directory above it may be renamed between looking and unmounting. */
const ATTEMPTS = 20;
/** And between asking where it is and looking what is mounted there. */
const LOOKS = 10;

/**
 * Unmounts, or detaches when a program is still inside.
 *
 * @param mountpoint asked for its path each time
 * @param device of the mount that is meant: another that took its place stays
 * @throws Error with umount(8)'s words when neither works
 */
export async function unmount(mountpoint: Mountpoint, device?: string): Promise<Unmounted> {
  const find = (): string | undefined => {
    for (let look = 0; look < LOOKS; look++) {
      const mount = mountAt(mountpoint.path);
      if (mount !== undefined && (device === undefined || mount.device === device)) return mount.mountpoint;
    }
    return undefined;
  };
  for (let attempt = 1; ; attempt++) {
    const plain = find();
    if (plain === undefined) return "absent";
    try {
      await umount([], plain);
      return "unmounted";
    } catch {}
    const busy = find();
    if (busy === undefined) return "absent";
    try {
      await detach(busy);
      return "detached";
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}
