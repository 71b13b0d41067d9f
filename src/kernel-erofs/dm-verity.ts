import { readFileSync } from "node:fs";

/** Why the kernel's EROFS is no driver for an image that is to be held to a hash tree, and what would be. */
export const noDigests = (): string =>
  `the kernel's EROFS checks no digests; ${
    hasDeviceMapper()
      ? "dm-verity below it does: open the disk with veritysetup, and mount /dev/mapper/NAME without --verity"
      : "dm-verity below it would, but this kernel has no device mapper"
  }`;

/** Whether it is built in, or was loaded. */
function hasDeviceMapper(): boolean {
  try {
    return readFileSync("/proc/misc", "utf8").includes("device-mapper");
  } catch {
    return false; // no /proc
  }
}
