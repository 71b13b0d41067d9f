import { realpathSync, statSync, writeFileSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";
import { writeWhole } from "../disk/write-whole.ts";

/**
 * Writes a result where `--output-json` says: in place of what was there, and whole or not at all.
 *
 * @param indent spaces a level; compact without
 * @throws StartError naming the file
 */
export function writeJson(path: string, result: unknown, indent = 0): void {
  const bytes = Buffer.from(JSON.stringify(result, null, indent));
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) writeWhole(path, bytes);
    else if (stats.isFile()) writeWhole(realpathSync(path), bytes);
    else writeFileSync(path, bytes); // a pipe or a device
  } catch (error) {
    throw error instanceof StartError ? error : new StartError(`output ${path}: ${messageOf(error)}`);
  }
}
