import { closeSync, constants, fstatSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { writeWhole } from "../atomic-file/write-whole.ts";
import { openOwn } from "../safe-open/own.ts";

/**
 * Writes a result where `--output-json` says: in place of what was there, and whole or not at all.
 *
 * @param indent spaces a level; compact without
 * @throws OperationalError naming the file
 */
export function writeJson(path: string, result: unknown, indent = 0): void {
  const bytes = Buffer.from(JSON.stringify(result, null, indent));
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) {
      writeWhole(path, bytes);
      return;
    }
    const fd = openOwn(path, constants.O_WRONLY, 0o666);
    try {
      if (fstatSync(fd).isFile()) writeWhole(realpathSync(`/proc/self/fd/${fd}`), bytes);
      else writeFileSync(fd, bytes); // a pipe or a device
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw error instanceof OperationalError
      ? error
      : new OperationalError(`output ${path}: ${messageOf(error)}`);
  }
}
