import { closeSync, constants, fstatSync, ftruncateSync, writeFileSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";
import { openOwn } from "../files/own.ts";

/**
 * Writes a result where `--output-json` says: in place of what was there.
 *
 * @param indent spaces a level; compact without
 * @throws StartError naming the file
 */
export function writeJson(path: string, result: unknown, indent = 0): void {
  try {
    const fd = openOwn(path, constants.O_WRONLY | constants.O_CREAT, 0o666);
    try {
      if (fstatSync(fd).isFile()) ftruncateSync(fd);
      writeFileSync(fd, JSON.stringify(result, null, indent));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new StartError(`output ${path}: ${messageOf(error)}`);
  }
}
