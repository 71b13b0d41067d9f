import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { OperationalError } from "../bytes/errors.ts";
import { isOverlay } from "../mounts/overlay.ts";
import { type MountEntry, mountAt } from "../mounts/table.ts";
import { unmount } from "../mounts/umount.ts";

/**
 * Unmounts an image by its mountpoint, kernel mount or daemon, and before it the overlay above it.
 *
 * @returns one line that says what was done
 * @throws OperationalError when no image is mounted there
 */
export async function unmountImage(path: string): Promise<string> {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    real = resolve(path); // a dead mount cannot be resolved, but it can be unmounted
  }
  let mount = mountAt(real);
  if (mount === undefined) throw new OperationalError(`${path}: nothing is mounted there`);
  if (!isImage(mount) && !isOverlay(mount))
    throw new OperationalError(`${path}: ${mount.type} is mounted there, not an image`);
  let isBusy = false;
  if (isOverlay(mount)) {
    isBusy = (await unmount({ path: real }, mount.device)) === "detached";
    mount = mountAt(real);
  }
  // A daemon that saw its overlay go may have been faster.
  if (mount !== undefined && isImage(mount))
    isBusy = (await unmount({ path: real }, mount.device)) === "detached" || isBusy;
  return isBusy
    ? `${path}: busy: detached; the mount ends when no process uses it any more`
    : `${path}: unmounted`;
}

const isImage = ({ type }: MountEntry): boolean => type === "erofs" || type.startsWith("fuse");
