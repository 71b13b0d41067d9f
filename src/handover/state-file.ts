import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { MAX_SOCKET_PATH } from "../bytes/limits.ts";
import { isAlive, isDead, startOf } from "../proc/processes.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import type { CheckedState } from "../session/snapshot.ts";
import { holdAlive, isHeld } from "./alive.ts";
import { formatChecked, formatState, parseChecked, parseState, type SessionState } from "./state.ts";
import { readAreas, StateAreas } from "./state-areas.ts";

const temporaryOf = (path: string): string => `${path}.tmp`;

const CHECKED = ".checked";

/**
 * The state of one session on disk: whole, or not there.
 *
 * @see handover/state
 */
export class StateFile {
  private readonly base: string;
  readonly path: string;
  /** Where its process and the next one talk. */
  readonly socket: string;
  private readonly alive: string;
  private readonly areas: StateAreas;
  private isHolding = false;

  /** @param base path of it, but for the end */
  private constructor(base: string) {
    this.base = base;
    this.path = `${base}.state`;
    this.socket = `${base}.sock`;
    this.alive = `${base}.alive`;
    this.areas = new StateAreas(this.path, temporaryOf(this.path));
  }

  /** That of a session that there was before, by its path without the end. @throws OperationalError */
  static at(base: string): StateFile {
    mustBelieve(dirname(base));
    return new StateFile(base);
  }

  /**
   * @param dir made when it is not there; must be owned by this user
   * @param owner pid of the process that outlives those that serve: the keeper, or the only one
   * @throws OperationalError
   */
  static in(dir: string, owner: number): StateFile {
    mustBelieve(dir, 0o700);
    // A pid comes again, a pid with when it began does not.
    const file = new StateFile(join(dir, `${owner}-${startOf(owner) ?? 0}`));
    if (Buffer.byteLength(file.socket) > MAX_SOCKET_PATH)
      throw new OperationalError(
        `state directory ${dir}: longer than a socket's path may be; choose another with --state-dir`,
      );
    return file;
  }

  /** @throws the system error: what was there is there still */
  write(state: SessionState): void {
    this.areas.write((generation) => formatState(state, generation));
    if (!this.isHolding) this.isHolding = holdAlive(this.alive);
  }

  /** Whether a process of the session lives. Where nothing says so, one that cannot be seen from here does. */
  isServed({ owner, serving }: SessionState): boolean {
    const isHere = [owner, serving].some(isAlive);
    return isHere || (isHeld(this.alive) ?? [owner, serving].some((each) => !isDead(each)));
  }

  /** @returns undefined when there is none @throws FormatError */
  read(): SessionState | undefined {
    return readState(this.path);
  }

  /**
   * What is known of the images that there are, by serial; that of others is removed.
   *
   * @param checkedOf asked for each that is not written yet
   */
  writeChecked(serials: ReadonlySet<number>, checkedOf: (serial: number) => CheckedState | undefined): void {
    for (const serial of this.checked())
      if (!serials.has(serial)) rmSync(this.checkedPath(serial), { force: true });
    const there = new Set(this.checked());
    for (const serial of serials) {
      const checked = there.has(serial) ? undefined : checkedOf(serial);
      // Not fsynced: a torn one is noticed, and then the image is checked again.
      if (checked !== undefined)
        writeFileSync(this.checkedPath(serial), formatChecked(checked), { mode: 0o600 });
    }
  }

  /** @returns undefined when nothing is known */
  readChecked(serial: number): CheckedState | undefined {
    try {
      return parseChecked(readFileSync(this.checkedPath(serial)), this.checkedPath(serial));
    } catch {
      return undefined;
    }
  }

  /** @throws the system error: what is left says that the session is over, where that can be written */
  remove(): void {
    this.areas.end();
    for (const path of [this.path, temporaryOf(this.path), this.socket, this.alive])
      rmSync(path, { force: true });
    for (const serial of this.checked()) rmSync(this.checkedPath(serial), { force: true });
  }

  private checkedPath = (serial: number): string => `${this.base}.${serial}${CHECKED}`;

  /** Serials of the images of which something is written. */
  private checked(): number[] {
    const prefix = `${basename(this.base)}.`;
    const dir = dirname(this.base);
    return (existsSync(dir) ? readdirSync(dir) : [])
      .filter((name) => name.startsWith(prefix) && name.endsWith(CHECKED))
      .map((name) => Number(name.slice(prefix.length, -CHECKED.length)));
  }
}

function readState(path: string): SessionState | undefined {
  let bytes: Buffer;
  try {
    bytes = readAreas(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  return bytes.length === 0 ? undefined : parseState(bytes, path);
}

/** @param make the directory with this mode where it is not there @throws OperationalError unless its states are this user's alone */
function mustBelieve(dir: string, make?: number): void {
  try {
    mustBeOwnDirectory(dir, { make });
  } catch (error) {
    throw new OperationalError(`state directory ${dir}: ${messageOf(error)}`, {
      advice: "choose another with --state-dir",
    });
  }
}

/**
 * Removes what sessions left that are over.
 *
 * @param isNeeded whether a dead one's mountpoint may still be gone on with
 */
export function removeDead(dir: string, isNeeded: (mountpoint: string) => boolean): void {
  for (const { file, state } of allStates(dir)) {
    if (file.isServed(state) || isNeeded(state.mountpoint)) continue;
    for (const path of state.made ?? []) removeMade(path, state.owner.pid);
    file.remove();
  }
  removeOrphans(dir);
}

/** What is known of images of a session whose state is gone: the state is written first, and removed first. */
function removeOrphans(dir: string): void {
  const names = existsSync(dir) ? readdirSync(dir) : [];
  const states = new Set(names.filter((name) => name.endsWith(".state")));
  for (const name of names) {
    const base = /^(.+)\.\d+\.checked$/.exec(name)?.[1];
    if (base !== undefined && !states.has(`${base}.state`)) rmSync(join(dir, name), { force: true });
  }
}

/** A socket that nobody listens at, or a file that has the pid: what another has made meanwhile stays. */
function removeMade(path: string, pid: number): void {
  try {
    const isLeft = lstatSync(path).isSocket()
      ? !readFileSync("/proc/net/unix", "latin1").includes(` ${path}\n`)
      : readFileSync(path, "latin1") === `${pid}\n`;
    if (isLeft) rmSync(path);
  } catch {} // it is gone
}

/**
 * Sessions that are served, or were and did not end in order; what is no state is passed over.
 *
 * @throws the system error, or OperationalError for a directory whose states are not believed
 */
export function allStates(dir: string): { readonly file: StateFile; readonly state: SessionState }[] {
  if (!existsSync(dir)) return [];
  mustBelieve(dir);
  const names = readdirSync(dir).filter((name) => name.endsWith(".state"));
  return names.flatMap((name) => {
    const file = StateFile.at(join(dir, basename(name, ".state")));
    try {
      const state = file.read();
      return state === undefined ? [] : [{ file, state }];
    } catch {
      return [];
    }
  });
}
