import { statfsSync } from "node:fs";
import { tmpdir } from "node:os";

/** `f_type` of files in memory. Source: linux/magic.h (TMPFS_MAGIC, RAMFS_MAGIC). */
const MEMORY = new Set([0x01021994, 0x858458f6]);

/** Where tests work: on a disk, because the kernel mounts no image from files in memory, where many systems have /tmp. */
export const workPlace = (): string =>
  [tmpdir(), "/var/tmp"].find((dir) => !MEMORY.has(statfsSync(dir).type)) ?? tmpdir();
