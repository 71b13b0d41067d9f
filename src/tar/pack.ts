import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { messageOf, OperationalError } from "../bytes/errors.ts";

/**
 * Makes a tar of all that is in a directory, with the host's own `tar`.
 *
 * @throws OperationalError with its words
 */
export async function packDirectory(dir: string, tar: string): Promise<void> {
  try {
    await promisify(execFile)("tar", ["-C", dir, "-cf", tar, "."]);
  } catch (error) {
    throw new OperationalError(`no tar of ${dir}: ${messageOf(error)}`);
  }
}
