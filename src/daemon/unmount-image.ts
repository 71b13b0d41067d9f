import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { StartError } from "../bytes/errors.ts";
import { mountAt } from "../mounts/table.ts";
import { unmount } from "../mounts/umount.ts";

/**
 * Unmounts an image by its mountpoint, whoever serves it.
 *
 * @returns one line that says what was done
 * @throws StartError when no FUSE file system is mounted there
 */
export async function unmountImage(path: string): Promise<string> {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    real = resolve(path); // a dead mount cannot be resolved, but it can be unmounted
  }
  const mount = mountAt(real);
  if (mount === undefined) throw new StartError(`${path}: nothing is mounted there`);
  if (!mount.type.startsWith("fuse"))
    throw new StartError(`${path}: ${mount.type} is mounted there, not an image`);
  const how = await unmount(real);
  return how === "detached"
    ? `${path}: busy, detached; it is gone when its last user is`
    : `${path}: unmounted`;
}
