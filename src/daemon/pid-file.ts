import { rmSync } from "node:fs";
import { replaceFile } from "../atomic-file/replace-file.ts";
import { messageOf, StartError } from "../bytes/errors.ts";

/**
 * Writes the pid of whom to send signals to, whole or not at all, for everybody to read. A link of that name is replaced,
 * not followed.
 *
 * @throws StartError naming the file
 */
export function writePidFile(path: string, pid: number): void {
  try {
    replaceFile(path, `${pid}\n`, { mode: 0o644, isDurable: false });
  } catch (error) {
    throw new StartError(`pid file ${path}: ${messageOf(error)}`);
  }
}

export function removePidFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {} // a daemon that is not root any more may not; whoever reads it finds that there is no such process
}
