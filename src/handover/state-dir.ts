import { fstatSync } from "node:fs";
import { runtimeDirectory } from "../bytes/user-directories.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import { strangerOf } from "../safe-open/strangers.ts";

/** What is believed of a state: less than a kilobyte an image. */
export const MAX_STATE = 64 << 20;

/** Below it, what says something of sessions that are served now. Gone after a restart, as they are. */
export function defaultStateDir(uid = process.geteuid?.() ?? 0, env = process.env): string {
  if (uid === 0) return "/run/nydusd-ts";
  const runtime = runtimeDirectory(env);
  return runtime === undefined ? `/tmp/nydusd-ts-${uid}` : `${runtime}/nydusd-ts`;
}

/** Makes it when it is not there. @throws Error where another user could put something in it; the system error */
export const makeStateDir = (dir: string): string => mustBeOwnDirectory(dir, { make: 0o700 });

/** @throws Error for what is no file of this user's alone, or is no state by its size */
export function mustBeOwnState(fd: number): void {
  const stats = fstatSync(fd);
  if (!stats.isFile()) throw new Error("not a regular file");
  const stranger = strangerOf(stats);
  if (stranger !== undefined) throw new Error(stranger);
  if (stats.size > 2 * MAX_STATE) throw new Error(`${stats.size} bytes are no state`);
}
