import { closeSync, readSync } from "node:fs";
import { openSame } from "../blob/locate.ts";
import type { OpenedImage } from "./open-image.ts";

/** Zeros behind a tar: packers fill up to 10 KiB and more, and some builders leave that out of the length. */
const LOOK = 64 << 10;

/**
 * Files of blobs that go on, with more than zeros, behind what the image was made of: it can be read, from another tar maybe,
 * and then has other contents.
 *
 * @returns a line for each
 */
export function longerBlobs({ handle, files, report }: OpenedImage): string[] {
  return handle.devices.flatMap(({ id, blocks }, i) => {
    const file = files[i + 1];
    // A tar may end inside a block, which the device table then does not count.
    const wanted = Math.max(blocks * 2 ** handle.blockBits, report.dataEnds[i] ?? 0);
    // A block device has no length, and a file of another kind was refused.
    if (file === undefined || blocks === 0 || file.size <= wanted || file.size === Number.MAX_SAFE_INTEGER)
      return [];
    const fd = openSame(file);
    try {
      const bytes = new Uint8Array(LOOK);
      const length = readSync(fd, bytes, 0, LOOK, wanted);
      if (bytes.subarray(0, length).every((byte) => byte === 0)) return [];
      return [
        `blob ${id || i + 1}: ${file.path} has ${file.size} bytes, and the image was made of ${wanted}: if it is another ` +
          "tar, files have wrong contents; nydus-image-ts check --data tells",
      ];
    } finally {
      closeSync(fd);
    }
  });
}
