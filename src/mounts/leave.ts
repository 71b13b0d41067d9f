import { fusermount } from "./fusermount.ts";
import { mountAt } from "./table.ts";
import { type Unmounted, unmount } from "./umount.ts";

/**
 * How a process that serves a mount has it unmounted, whoever it has become meanwhile: root needs no helper program, and
 * anybody else no privilege. Whoever serves asks for it here and nowhere else, so that another process may do it for him.
 *
 * @param device of the mount that is meant: another that took its place stays
 * @throws Error with the words of the program that failed
 */
export async function leaveMount(mountpoint: string, device?: string): Promise<Unmounted> {
  if (process.geteuid?.() === 0) return unmount(mountpoint, device);
  const mount = mountAt(mountpoint);
  if (mount === undefined || (device !== undefined && mount.device !== device)) return "absent";
  return fusermount(mountpoint);
}
