import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { escapeControlChars } from "../bytes/escape-control-chars.ts";
import { defaultStateDir } from "../handover/state-file.ts";
import { isOverlay } from "../mounts/overlay.ts";
import { isImage, type MountEntry, mountAt, readMounts } from "../mounts/table.ts";
import { type Unmounted, unmount } from "../mounts/umount.ts";
import { forgetUnmounted } from "./kernel-mounts.ts";
import { removeStatesOf } from "./state-location.ts";

/** Mounts that are named. */
const MAX_NAMES = 5;

/**
 * Unmounts an image, kernel mount or daemon, and before it the overlay above it.
 *
 * @param path its mountpoint, or what lies in it, however it is written
 * @returns one line that says what was done
 * @throws OperationalError when no image is mounted there
 */
export async function unmountImage(path: string): Promise<string> {
  const said = escapeControlChars(path);
  const real = canonical(path);
  const top = mountOf(real);
  if (top === undefined) throw new OperationalError(`${said}: nothing is mounted there`);
  if (!isImage(top) && !isOverlay(top))
    throw new OperationalError(`${said}: ${top.type} is mounted there, not an image`);
  mustBeUppermost(said, top);
  process.chdir("/"); // this process is no reason to find it busy
  const { mountpoint } = top;
  let isBusy = false;
  let mount: MountEntry | undefined = top;
  if (isOverlay(top)) {
    isBusy = (await leave(said, top)) === "detached";
    mount = mountAt(mountpoint);
  }
  // A daemon that saw its overlay go may have been faster.
  if (mount !== undefined && isImage(mount)) isBusy = (await leave(said, mount)) === "detached" || isBusy;
  removeStatesOf(mountpoint, defaultStateDir());
  forgetUnmounted();
  const what = real === mountpoint ? said : `${escapeControlChars(mountpoint)}, where ${said} is`;
  return isBusy
    ? `${what}: busy: detached; the mount ends when no process uses it any more`
    : `${what}: unmounted`;
}

/** @throws OperationalError with what umount(8) says */
async function leave(said: string, { mountpoint, device }: MountEntry): Promise<Unmounted> {
  try {
    return await unmount({ path: mountpoint }, device);
  } catch (error) {
    const cure = process.geteuid?.() === 0 ? "" : " Root, and who has mounted it, may: sudo nydusd-ts umount";
    throw new OperationalError(`${said}: ${messageOf(error)}${cure}`);
  }
}

/** What is mounted in it would go with it, and is not ours. @throws OperationalError */
function mustBeUppermost(said: string, { mountpoint }: MountEntry): void {
  const inside = readMounts().filter((mount) => mount.mountpoint.startsWith(`${mountpoint}/`));
  if (inside.length === 0) return;
  const names = inside.slice(0, MAX_NAMES).map((mount) => escapeControlChars(mount.mountpoint));
  const more = inside.length > MAX_NAMES ? ` and ${inside.length - MAX_NAMES} more` : "";
  throw new OperationalError(
    `${said}: something is mounted in it: ${names.join(", ")}${more}; unmount that first, or all of it with umount -R`,
  );
}

/** A dead mount cannot be resolved, but it can be unmounted: what it is on can be. */
function canonical(path: string): string {
  try {
    return realpathSync(path);
  } catch {}
  const whole = resolve(path);
  try {
    return join(realpathSync(dirname(whole)), basename(whole));
  } catch {
    return whole;
  }
}

/**
 * The mount at a path; for what lies in an image, that image's.
 *
 * @returns undefined for what is no mountpoint, and in none of ours
 */
function mountOf(path: string): MountEntry | undefined {
  const here = mountAt(path);
  if (here !== undefined) return here;
  const all = readMounts();
  for (let above = dirname(path); above !== "/"; above = dirname(above)) {
    const mount = all.findLast(({ mountpoint }) => mountpoint === above);
    if (mount !== undefined) return isImage(mount) || isOverlay(mount, all) ? mount : undefined;
  }
  return undefined;
}
