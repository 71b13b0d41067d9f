import { renameSync, rmSync, writeFileSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";

/**
 * Writes the pid of whom to send signals to, whole or not at all.
 *
 * @throws StartError naming the file
 */
export function writePidFile(path: string, pid: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, `${pid}\n`, { mode: 0o644, flag: "wx" });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new StartError(`pid file ${path}: ${messageOf(error)}`);
  }
}

export const removePidFile = (path: string): void => rmSync(path, { force: true });
