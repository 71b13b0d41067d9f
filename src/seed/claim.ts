import { linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import { defaultStateDir, makeStateDir } from "../handover/state-file.ts";
import { isAlive, type ProcessState, processState } from "../proc/processes.ts";

const PREFIX = "mounting-";
const TRIES = 10;

/** That this process is about to mount on a directory, and another one must not. */
export interface Claim {
  release(): void;
}

const NONE: Claim = { release: () => {} };

/**
 * Claims a directory from when it is looked at until something is mounted there: the kernel stacks mounts without a word.
 * It ends with this process, too.
 *
 * @param mountpoint canonical
 * @param said how it was written
 * @throws OperationalError when another process is about to mount there
 */
export function claimMountpoint(mountpoint: string, said: string, dir = defaultStateDir()): Claim {
  const { dev, ino } = statSync(mountpoint);
  const path = join(dir, `${PREFIX}${dev}-${ino}`);
  const own = join(dir, `claim-${process.pid}-${ino}`);
  try {
    makeStateDir(dir);
    removeAbandoned(dir, own);
    writeFileSync(own, JSON.stringify(processState(process.pid)), { mode: 0o600 });
  } catch {
    return NONE; // a place where nothing can be written, or that is another's: there is no one to agree with
  }
  try {
    for (let tries = 1; ; tries++) {
      try {
        linkSync(own, path); // whole, or not there
        return claimOf(path);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") return NONE;
      }
      const holder = holderOf(path);
      if (tries === TRIES || (holder !== undefined && isAlive(holder)))
        throw new OperationalError(
          `mountpoint ${said}: ${holder === undefined ? `what ${path} names` : `process ${holder.pid}`} is about to mount on it`,
        );
      putAside(path, own);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

function claimOf(path: string): Claim {
  const release = () => {
    process.off("exit", release);
    rmSync(path, { force: true });
  };
  process.on("exit", release);
  return { release };
}

/** What processes that were killed have left. */
function removeAbandoned(dir: string, own: string): void {
  for (const name of readdirSync(dir)) {
    if (!name.startsWith(PREFIX)) continue;
    const holder = holderOf(join(dir, name));
    if (holder !== undefined && !isAlive(holder)) putAside(join(dir, name), own);
  }
}

/** Takes away the claim of a dead process: of several that find it, one can. One that was made meanwhile stays. */
function putAside(path: string, own: string): void {
  const aside = `${own}.dead`;
  try {
    renameSync(path, aside);
    const holder = holderOf(aside);
    if (holder !== undefined && isAlive(holder)) linkSync(aside, path);
  } catch {} // another one has taken it away
  rmSync(aside, { force: true });
}

/** @returns undefined for one that is gone again */
function holderOf(path: string): ProcessState | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProcessState;
  } catch {
    return undefined;
  }
}
