import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { replaceFile } from "../atomic-file/replace-file.ts";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { MAX_SOCKET_PATH } from "../bytes/limits.ts";
import { isAlive, startOf } from "../proc/processes.ts";
import { makeDirectories } from "../safe-open/make-directories.ts";
import type { CheckedState } from "../session/snapshot.ts";
import { formatChecked, formatState, parseChecked, parseState, type SessionState } from "./state.ts";

const temporaryOf = (path: string): string => `${path}.tmp`;

/** Below it, what says something of sessions that are served now. Gone after a restart, as they are. */
export function defaultStateDir(uid = process.geteuid?.() ?? 0, env = process.env): string {
  if (uid === 0) return "/run/nydusd-ts";
  const runtime = env["XDG_RUNTIME_DIR"];
  // Relative or empty, it says nothing (XDG base directory specification).
  return runtime !== undefined && isAbsolute(runtime) ? `${runtime}/nydusd-ts` : `/tmp/nydusd-ts-${uid}`;
}

/** Not its parents: Node never ends to make those where it cannot, as in /proc. @throws the system error */
export function makeStateDir(dir: string): void {
  try {
    mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

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

  /** @param base path of it, but for the end */
  constructor(base: string) {
    this.base = base;
    this.path = `${base}.state`;
    this.socket = `${base}.sock`;
  }

  /**
   * @param dir made when it is not there; must be owned by this user
   * @param owner pid of the process that outlives those that serve: the keeper, or the only one
   * @throws OperationalError
   */
  static in(dir: string, owner: number): StateFile {
    try {
      makeDirectories(dir, 0o700);
      const { uid, mode } = statSync(dir);
      if (uid !== process.geteuid?.()) throw new Error(`belongs to user ${uid}`);
      if ((mode & 0o022) !== 0) throw new Error("others may write there");
    } catch (error) {
      throw new OperationalError(
        `state directory ${dir}: ${messageOf(error)}; choose another with --state-dir`,
      );
    }
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
    replaceFile(this.path, formatState(state), {
      mode: 0o600,
      isDurable: true,
      temporary: temporaryOf(this.path),
    });
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

  remove(): void {
    for (const path of [this.path, temporaryOf(this.path), this.socket]) rmSync(path, { force: true });
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
    bytes = readFileSync(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  return parseState(bytes, path);
}

/**
 * Removes what sessions left that are over.
 *
 * @param isNeeded whether a dead one's mountpoint may still be gone on with
 */
export function removeDead(dir: string, isNeeded: (mountpoint: string) => boolean): void {
  for (const { file, state } of allStates(dir)) {
    const isServed = isAlive(state.owner) || isAlive(state.serving);
    if (isServed || isNeeded(state.mountpoint)) continue;
    for (const path of state.made ?? []) removeMade(path, state.owner.pid);
    file.remove();
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

/** Sessions that are served, or were and did not end in order; what is no state is passed over. */
export function allStates(dir: string): { readonly file: StateFile; readonly state: SessionState }[] {
  const names = readdirSync(dir).filter((name) => name.endsWith(".state"));
  return names.flatMap((name) => {
    const file = new StateFile(join(dir, basename(name, ".state")));
    try {
      const state = file.read();
      return state === undefined ? [] : [{ file, state }];
    } catch {
      return [];
    }
  });
}
