import { linkSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import { defaultStateDir, makeStateDir } from "../handover/state-dir.ts";
import { fateOf, isDead, type ProcessState, processState } from "../proc/processes.ts";

/** What a directory is claimed for: names of claims begin with it. */
const MOUNTING = "mounting-";
const CHANGING = "changing-";
const TRIES = 10;

/** That this process is about to mount on a directory, or to have changes kept in it, and another one must not. */
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
export const claimMountpoint = (mountpoint: string, said: string, dir = defaultStateDir()): Claim =>
  claimDirectory(MOUNTING, mountpoint, dir, (who) => `mountpoint ${said}: ${who} is about to mount on it`);

/**
 * Claims the directory of an overlay's changes, which must be there, from when it is looked at until they are used: overlayfs lets
 * two overlays destroy the same changes.
 *
 * @throws OperationalError when another process is about to use them
 */
export const claimChanges = (upper: string, dir = defaultStateDir()): Claim =>
  claimDirectory(CHANGING, upper, dir, (who) => `--rw ${upper}: ${who} is about to keep changes in it`);

/** @param refusal says who has claimed it */
function claimDirectory(
  prefix: string,
  directory: string,
  dir: string,
  refusal: (who: string) => string,
): Claim {
  const { dev, ino } = statSync(directory);
  const path = join(dir, `${prefix}${dev}-${ino}`);
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
      if (tries === TRIES || (holder !== undefined && !isDead(holder)))
        throw new OperationalError(refusal(nameOf(holder, path)));
      putAside(path, own);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

function nameOf(holder: ProcessState | undefined, path: string): string {
  if (holder === undefined) return `what ${path} names`;
  const isHere = fateOf(holder) !== "elsewhere";
  return `process ${holder.pid}${isHere ? "" : ` of another pid namespace (if it is gone, remove ${path})`}`;
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
    if (!name.startsWith(MOUNTING) && !name.startsWith(CHANGING)) continue;
    const holder = holderOf(join(dir, name));
    if (holder !== undefined && isDead(holder)) putAside(join(dir, name), own);
  }
}

/** Takes away the claim of a dead process: of several that find it, one can. One that was made meanwhile stays. */
function putAside(path: string, own: string): void {
  const aside = `${own}.dead`;
  try {
    renameSync(path, aside);
    const holder = holderOf(aside);
    if (holder !== undefined && !isDead(holder)) linkSync(aside, path);
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
