import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { readBounded } from "./read-bounded.ts";

/**
 * All of a file that somebody else may have put there: neither a fifo, which would be waited for, nor one without end.
 *
 * @param max bytes
 * @throws the system error of opening it, or an Error saying what it is instead
 */
export function readRegular(path: string, max: number): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(fd).isFile()) throw new Error("not a regular file");
    const bytes = readBounded(fd, max);
    if (bytes === undefined) throw new Error(`${fstatSync(fd).size} bytes is too long (limit: ${max})`);
    return bytes;
  } finally {
    closeSync(fd);
  }
}
