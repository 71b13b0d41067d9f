import { fusermount } from "./fusermount.ts";
import type { Mountpoint } from "./tracked-mountpoint.ts";
import { mountAt } from "./table.ts";
import { type Unmounted, unmount } from "./umount.ts";

/**
 * Unmounts what this process serves, as the user that it has become meanwhile: as root without a helper program, else by
 * fusermount(1), without privilege. The one place where a serving process asks for it, so that another process could do it
 * in its stead.
 *
 * @param device of the mount that is meant: another that took its place stays
 * @throws Error with the words of the program that failed
 */
export async function leaveMount(mountpoint: Mountpoint, device?: string): Promise<Unmounted> {
  if (process.geteuid?.() === 0) return unmount(mountpoint, device);
  const mount = mountAt(mountpoint.path);
  if (mount === undefined || (device !== undefined && mount.device !== device)) return "absent";
  return fusermount(mount.mountpoint);
}
