import { type Stats, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, resolve } from "node:path";
import { delimiter } from "node:path";
import type { BlobFile } from "../blob/locate.ts";
import { makeDevice } from "../bytes/device-number.ts";
import { OperationalError } from "../bytes/errors.ts";
import { leadsBelow } from "../mounts/below.ts";
import { readMounts } from "../mounts/table.ts";
import { defaultStateDir } from "../handover/state-dir.ts";
import type { DaemonOptions } from "./options.ts";
import type { MountContext } from "../seed/mount-context.ts";
import { isMountedAt } from "../seed/mountpoint.ts";

const OWN = "lies in this daemon's own mount: the daemon would have to answer its own requests";

/**
 * A daemon that asks its own mount for something waits for itself: with libfuse at once, with workers as soon as all of
 * them wait for such files. So whatever it may touch once it has mounted must lie elsewhere. To be asked before
 * mounting. A directory of PATH may lie there, but nothing is looked for in it: starting a program waits until that is
 * found, in the thread that asks.
 *
 * @throws OperationalError naming what does not
 */
export function refuseSelfMount(options: DaemonOptions, { mountpoint, first }: MountContext): void {
  const { dev, ino } = statSync(mountpoint);
  // By number, too: what is mounted on one of its bind mounts may appear on all.
  const isThere = (directory: string) => directory === mountpoint || isSame(directory, dev, ino);
  for (const [what, path] of touched(options, first))
    if (path !== undefined && leadsBelow(path, isThere))
      throw new OperationalError(below(options, what, path));
  const path = process.env["PATH"]?.split(delimiter).filter((directory) => !leadsBelow(directory, isThere));
  if (path !== undefined) process.env["PATH"] = path.join(delimiter);
}

/**
 * The same of what is made before anything is mounted: it would be in the directory then, and keep that from being mounted
 * on. Not to be asked where something may be mounted already.
 *
 * @throws OperationalError naming what would lie there
 */
export function refuseOwnFiles(options: DaemonOptions): void {
  // Its server may have died while another process holds the device: then it would never answer.
  if (isMountedAt(options.mountpoint)) return;
  let stats: Stats | undefined;
  try {
    stats = statSync(options.mountpoint, { throwIfNoEntry: false });
  } catch {} // said when it is mounted on
  if (stats === undefined || options.mountpoint === "/") return;
  const { dev, ino } = stats;
  for (const [what, path] of made(options))
    if (path !== undefined && leadsBelow(dirname(resolve(path)), (directory) => isSame(directory, dev, ino)))
      throw new OperationalError(below(options, what, path));
}

const below = ({ mountpoint }: DaemonOptions, what: string, path: string): string =>
  `mountpoint ${mountpoint}: ${what} ${path} would lie below it, and the daemon would have to answer its own requests`;

const made = (options: DaemonOptions): [what: string, path: string | undefined][] => [
  ["log file", options.logFile],
  ["pid file", options.pidFile],
  ["apisock", options.apiSocket],
  ["the state directory", options.stateDir],
  ["trace", options.trace],
];

/** What a daemon may come back to: files of an image only when it cannot keep them all open. */
function touched(
  options: DaemonOptions,
  first: MountContext["first"],
): [what: string, path: string | undefined][] {
  return [
    ["the working directory", process.cwd()],
    ["the program", process.argv[1]],
    ["the directory for temporary files", tmpdir()],
    ...made({ ...options, stateDir: options.stateDir ?? defaultStateDir() }),
    ["upper directory", options.upper],
    ...(first?.pinned.image.files ?? [])
      .filter(({ path }) => path !== "")
      .map(({ path }, i): [string, string] => [i === 0 ? "the image" : "blob", path]),
  ];
}

function isSame(directory: string, dev: number, ino: number): boolean {
  try {
    const stats = statSync(directory);
    return stats.ino === ino && stats.dev === dev;
  } catch {
    return false; // not there, or not for this user
  }
}

/** Nothing in the mount is asked. */
function isOwn(path: string, device: string): boolean {
  const own = new Set(readMounts().flatMap((mount) => (mount.device === device ? [mount.mountpoint] : [])));
  return leadsBelow(path, (directory) => own.has(directory));
}

/**
 * Keeps what is mounted later from leading into the mount that it becomes a part of.
 *
 * @param device `major:minor` of the mount
 * @throws OperationalError
 */
export function refuseSelfPaths(paths: readonly string[], device: string): void {
  const path = paths.find((each) => isOwn(each, device));
  if (path !== undefined) throw new OperationalError(`${path}: ${OWN}`);
}

/**
 * The same by what was opened: another namespace may show the mount, too, and /proc leads there.
 *
 * @throws OperationalError
 */
export function refuseSelfFiles(files: readonly BlobFile[], device: string): void {
  const [major, minor] = device.split(":").map(Number);
  const number = makeDevice(major, minor);
  const file = files.find(({ dev }) => dev === number);
  if (file !== undefined) throw new OperationalError(`${file.path}: ${OWN}`);
}
