import { readSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";

/**
 * Reads `length` bytes from a byte of a file on.
 *
 * @throws OperationalError when the file ends before; the system error of reading it
 */
export function readExactly(fd: number, at: number, into: Uint8Array, to: number, length: number): void {
  for (let done = 0; done < length; ) {
    const n = readSync(fd, into, to + done, length - done, at + done);
    if (n === 0) throw new OperationalError(`ends before byte ${at + length}: it was truncated`);
    done += n;
  }
}
