import { writeFileSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";

/**
 * Writes a result where `--output-json` says: compact, in place of what was there.
 *
 * @throws StartError naming the file
 */
export function writeJson(path: string, result: unknown): void {
  try {
    writeFileSync(path, JSON.stringify(result));
  } catch (error) {
    throw new StartError(`output ${path}: ${messageOf(error)}`);
  }
}
