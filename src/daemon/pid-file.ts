import { rmSync } from "node:fs";
import { replaceFile } from "../atomic-file/replace-file.ts";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { Ended } from "../session/ended.ts";
import type { SessionObserver } from "./lifecycle.ts";

/**
 * Writes the pid that takes signals, whole or not at all, readable by every user. A link of that name is replaced,
 * not followed.
 *
 * @throws OperationalError naming the file
 */
function writePidFile(path: string, pid: number): void {
  try {
    replaceFile(path, `${pid}\n`, { mode: 0o644, isDurable: false });
  } catch (error) {
    throw new OperationalError(`pid file ${path}: ${messageOf(error)}`);
  }
}

/** Has the pid in a file from the moment when the mount can be used until it is gone. */
export class PidFile implements SessionObserver {
  private readonly path: string;
  private readonly pid: number;
  private isWritten: boolean;

  /** @param isWritten the process before this one has written it */
  constructor(path: string, pid: number, isWritten: boolean) {
    this.path = path;
    this.pid = pid;
    this.isWritten = isWritten;
  }

  /** @throws OperationalError naming the file */
  ready(): void {
    if (!this.isWritten) writePidFile(this.path, this.pid);
    this.isWritten = true;
  }

  ended({ how }: Ended): void {
    if (this.isWritten && how !== "handed over") removePidFile(this.path);
  }
}

function removePidFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {} // a daemon that is not root any more may not; a reader finds that there is no such process
}
