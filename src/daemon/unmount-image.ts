import { messageOf, OperationalError } from "../bytes/errors.ts";
import { FUSE_TYPE } from "../fuse/device.ts";
import { defaultStateDir } from "../handover/state-dir.ts";
import { isOverlay } from "../mounts/overlay.ts";
import { reachedBy } from "../mounts/reached.ts";
import { isImage, type MountEntry, mountAt, readMounts } from "../mounts/table.ts";
import { type Unmounted, unmount } from "../mounts/umount.ts";
import { forgetUnmounted, kernelMounts } from "./kernel-mounts.ts";
import { removeStatesOf } from "./state-location.ts";

/** Mounts that are named. */
const MAX_NAMES = 5;

/**
 * Unmounts an image, kernel mount or daemon, and before it the overlay above it.
 *
 * @param said its mountpoint, or what lies in it, however it is written
 * @returns one line that says what was done
 * @throws OperationalError when no image is mounted there
 */
export async function unmountImage(said: string): Promise<string> {
  // An unset variable of a script: it would mean the working directory.
  if (said === "") throw new OperationalError("the mountpoint is an empty string");
  const table = readMounts();
  const isImageOrOver = (mount: MountEntry) => isImage(mount) || isOverlay(mount, table);
  const { path: real, mount: top } = reachedBy(said, table, isImageOrOver);
  if (top === undefined) throw new OperationalError(`${said}: nothing is mounted there`);
  if (!isImageOrOver(top)) throw new OperationalError(`${said}: ${top.type} is mounted there, not an image`);
  mustBeOurs(said, top, table);
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
  const what = real === mountpoint ? said : `${mountpoint}, where ${said} is`;
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
  const names = inside.slice(0, MAX_NAMES).map((mount) => mount.mountpoint);
  const more = inside.length > MAX_NAMES ? ` and ${inside.length - MAX_NAMES} more` : "";
  throw new OperationalError(
    `${said}: something is mounted in it: ${names.join(", ")}${more}; unmount that first, or all of it with umount -R`,
  );
}

/**
 * Another program's image has its own ways of going. What root has mounted is noted where only root reads it; to another user
 * umount(8) says no.
 *
 * @throws OperationalError
 */
function mustBeOurs(said: string, top: MountEntry, table: readonly MountEntry[]): void {
  const image = isImage(top) ? top : table.find(({ id }) => id === top.parent);
  const isOurs = image === undefined || image.type === FUSE_TYPE || kernelMounts([image]).size > 0;
  if (isOurs || (image.type === "erofs" && process.geteuid?.() !== 0)) return;
  throw new OperationalError(
    `${said}: ${image.type} is mounted there, but not by nydusd-ts as far as ${defaultStateDir()} knows; umount(8) takes it away`,
  );
}
