import { renameSync, rmSync, writeFileSync } from "node:fs";
import { messageOf, StartError } from "../bytes/errors.ts";

/**
 * Writes this process's pid, whole or not at all.
 *
 * @returns removes it again
 * @throws StartError naming the file
 */
export function writePidFile(path: string): () => void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, `${process.pid}\n`, { mode: 0o644, flag: "wx" });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new StartError(`pid file ${path}: ${messageOf(error)}`);
  }
  return () => rmSync(path, { force: true });
}
