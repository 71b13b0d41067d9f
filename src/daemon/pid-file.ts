import { randomBytes } from "node:crypto";
import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";

/**
 * Writes the pid of whom to send signals to, whole or not at all, for everybody to read. A link of that name is replaced,
 * not followed.
 *
 * @throws StartError naming the file
 */
export function writePidFile(path: string, pid: number): void {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`; // nobody can have put something there
  try {
    writeFileSync(temporary, `${pid}\n`, { flag: "wx" });
    chmodSync(temporary, 0o644);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new StartError(`pid file ${path}: ${messageOf(error)}`);
  }
}

export function removePidFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {} // a daemon that is not root any more may not; whoever reads it finds that there is no such process
}
