import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { sh, workDir } from "./daemon.ts";

/** A file system of its own, gone when the test ends. */
export type DiskKind = "tmpfs" | "ext4 on a loop device";

/** What can be had here; says what cannot. */
export const DISKS: readonly DiskKind[] = (["tmpfs", "ext4 on a loop device"] as const).filter((kind) => {
  const isThere = kind === "tmpfs" || existsSync("/dev/loop-control");
  if (!isThere) console.warn(`skipped: ${kind}, because there is no /dev/loop-control`);
  return isThere;
});

/**
 * Makes one of 4 MiB with so many KiB free, in which `content` of the shell has made files. ext4 keeps blocks back, so
 * that some small files find room all the same.
 *
 * @returns its directory
 */
export function smallDisk(kind: DiskKind, freeKib: number, content = ":"): string {
  const dir = workDir();
  const disk = join(dir, "disk");
  mkdirSync(disk);
  const make =
    kind === "tmpfs"
      ? 'mount -t tmpfs -o size=4m small "$D/disk"'
      : `truncate -s 4M "$D/file"; mkfs.ext4 -q -O ^has_journal -m 0 -I 128 "$D/file"; mount -o loop "$D/file" "$D/disk"
         rmdir "$D/disk/lost+found"`;
  sh(
    `${make}; cd "$D/disk"; ${content}; sync .
     cat /dev/zero >filler 2>/dev/null || true; sync .
     truncate -s "-$F" filler; sync .`,
    { D: dir, F: `${freeKib}K` },
  );
  return disk;
}
