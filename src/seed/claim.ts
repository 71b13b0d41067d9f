import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import { defaultStateDir } from "../handover/state-file.ts";
import { isAlive, type ProcessState, processState } from "../proc/processes.ts";

const TRIES = 10;

/** That this process is about to mount on a directory, and another one must not. */
export interface Claim {
  release(): void;
}

const NONE: Claim = { release: () => {} };

/**
 * Claims a directory from when it is looked at until something is mounted there: the kernel stacks mounts without a word.
 *
 * @param mountpoint canonical
 * @param said how it was written
 * @throws OperationalError when another process is about to mount there
 */
export function claimMountpoint(mountpoint: string, said: string, dir = defaultStateDir()): Claim {
  const { dev, ino } = statSync(mountpoint);
  const path = join(dir, `mounting-${dev}-${ino}`);
  const own = `${path}.${process.pid}`;
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileSync(own, JSON.stringify(processState(process.pid)), { mode: 0o600 });
  } catch {
    return NONE; // a place where nothing can be written, or that is another's: there is no one to agree with
  }
  try {
    for (let tries = 1; ; tries++) {
      try {
        linkSync(own, path); // whole, or not there
        return { release: () => rmSync(path, { force: true }) };
      } catch (error) {
        if (codeOf(error) !== "EEXIST") return NONE;
      }
      const holder = holderOf(path);
      if (tries === TRIES || (holder !== undefined && isAlive(holder)))
        throw new OperationalError(
          `mountpoint ${said}: ${holder === undefined ? `what ${path} names` : `process ${holder.pid}`} is about to mount on it`,
        );
      // Put aside first: of several that find it, one can.
      try {
        renameSync(path, `${own}.dead`);
      } catch {}
    }
  } finally {
    for (const left of [own, `${own}.dead`]) rmSync(left, { force: true });
  }
}

/** @returns undefined for one that is gone again */
function holderOf(path: string): ProcessState | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProcessState;
  } catch {
    return undefined;
  }
}
