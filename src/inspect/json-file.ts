import { writeFileSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";

/**
 * Writes a result where `--output-json` says: in place of what was there.
 *
 * @param indent spaces a level; compact without
 * @throws StartError naming the file
 */
export function writeJson(path: string, result: unknown, indent = 0): void {
  try {
    writeFileSync(path, JSON.stringify(result, null, indent));
  } catch (error) {
    throw new StartError(`output ${path}: ${messageOf(error)}`);
  }
}
