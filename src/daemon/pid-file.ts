import { closeSync, constants, fstatSync, openSync, readFileSync, readSync, rmSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { mustBeReplaceable } from "../atomic-file/replaceable.ts";
import { replaceFile } from "../atomic-file/replace-file.ts";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { SessionState } from "../handover/state.ts";
import type { allStates } from "../handover/state-file.ts";
import { beganAt, fateOf } from "../proc/processes.ts";
import type { Ended } from "../session/ended.ts";
import type { SessionObserver } from "./lifecycle.ts";

/** Of a pid and a newline. */
const LONGEST = 16;

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

/**
 * What is no file is not replaced: the pid file goes when the daemon ends, and with it would `/dev/null`. Another daemon's pid is
 * not replaced while that lives. It does if its state says so, wherever its number is one; or if its process began before the file
 * was written: one that has the number by now began later.
 *
 * @param pid that is to be in it
 * @param states of sessions, as far as they are known
 * @throws OperationalError naming both
 */
export function mustBeFree(path: string, pid: number, states: () => ReturnType<typeof allStates>): void {
  try {
    mustBeReplaceable(path);
  } catch (error) {
    throw new OperationalError(`pid file ${messageOf(error)}`);
  }
  const other = Number(readOwn(path));
  if (!Number.isSafeInteger(other) || other < 1) return;
  // In another namespace the same number is another process.
  const isOf = ({ owner, made = [] }: SessionState) =>
    owner.pid === other && made.includes(resolve(path)) && (other !== pid || fateOf(owner) === "elsewhere");
  if (states().some(({ file, state }) => isOf(state) && file.isServed(state))) throw taken(path, other);
  if (other === 1 || other === pid) return;
  const began = beganAt(other);
  const written = statSync(path, { throwIfNoEntry: false });
  if (began === undefined || written === undefined || began.getTime() > written.mtimeMs) return;
  if (!readCommand(other).includes("nydusd-ts")) return;
  throw taken(path, other);
}

const taken = (path: string, pid: number): OperationalError =>
  new OperationalError(`pid file ${path}: it is that of process ${pid}, a daemon that runs`, {
    advice: "choose another with --pid-file",
  });

/** @returns the first bytes of a regular file, "" when there is none */
function readOwn(path: string): string {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!fstatSync(fd).isFile()) return "";
      const buffer = Buffer.alloc(LONGEST);
      return buffer.toString("latin1", 0, readSync(fd, buffer));
    } finally {
      closeSync(fd);
    }
  } catch {
    return "";
  }
}

function readCommand(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return ""; // it is gone
  }
}

/** Has the pid in a file from the moment when the mount can be used until it is gone. */
export class PidFile implements SessionObserver {
  private readonly path: string;
  private readonly pid: number;

  constructor(path: string, pid: number) {
    this.path = path;
    this.pid = pid;
  }

  /** @throws OperationalError naming the file */
  ready(): void {
    // A keeper's pid is in it since the first process; one that adopted the session has another.
    if (readOwn(this.path) !== `${this.pid}\n`) writePidFile(this.path, this.pid);
  }

  ended({ how }: Ended): void {
    if (how !== "handed over") removePidFile(this.path, this.pid);
  }
}

/** What another daemon has put in its place stays. */
function removePidFile(path: string, pid: number): void {
  try {
    if (readOwn(path) === `${pid}\n`) rmSync(path, { force: true });
  } catch {} // a daemon that is not root any more may not; a reader finds that there is no such process
}
