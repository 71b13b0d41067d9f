import { readSync } from "node:fs";

const STEP = 1 << 20;

/**
 * All of a file, whatever becomes of its length while it is read: who writes to it may make it longer than it was when it was
 * looked at.
 *
 * @param fd of a regular file, read from its beginning
 * @param max bytes
 * @returns undefined: it is longer
 */
export function readBounded(fd: number, max: number): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let length = 0; length <= max; ) {
    const part = Buffer.allocUnsafe(Math.min(STEP, max + 1 - length));
    const n = readSync(fd, part, 0, part.length, length);
    if (n === 0) return Buffer.concat(parts, length);
    parts.push(part.subarray(0, n));
    length += n;
  }
  return undefined;
}
