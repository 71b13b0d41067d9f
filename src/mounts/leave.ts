import { fusermount } from "./fusermount.ts";
import type { Located } from "./place.ts";
import { mountAt } from "./table.ts";
import { type Unmounted, unmount } from "./umount.ts";

/**
 * How a process that serves a mount has it unmounted, whoever it has become meanwhile: root needs no helper program, and
 * anybody else no privilege. Whoever serves asks for it here and nowhere else, so that another process may do it for him.
 *
 * @param device of the mount that is meant: another that took its place stays
 * @throws Error with the words of the program that failed
 */
export async function leaveMount(place: Located, device?: string): Promise<Unmounted> {
  if (process.geteuid?.() === 0) return unmount(place, device);
  const mount = mountAt(place.path);
  if (mount === undefined || (device !== undefined && mount.device !== device)) return "absent";
  return fusermount(mount.mountpoint);
}
