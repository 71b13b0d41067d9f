import { closeSync, constants, fstatSync, mkdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { deviceMajor, deviceMinor } from "../bytes/device-number.ts";
import { codeOf } from "../bytes/errors.ts";
import { MAX_SYMLINKS } from "../bytes/limits.ts";
import { openPath, pathOf, renamed } from "./open-file.ts";
import { isTrusted, strangerOf } from "./strangers.ts";

const { O_DIRECTORY, O_NOFOLLOW } = constants;
const STICKY = 0o1000;

export interface WalkOptions {
  /** The directory itself may be like /tmp, too: what is put there is not the others' to rename. */
  readonly mayBeShared?: boolean | undefined;
  /** With this mode what is missing is made, once all that is above it was looked at; undefined: ENOENT is thrown. */
  readonly make?: number | undefined;
  /** An own directory that a relative path begins in; undefined: the working directory. */
  readonly from?: number | undefined;
}

/**
 * The one rule for directories whose contents are believed, or that are written to: a directory belongs to root or this
 * user, who alone may write to it. So do those above it, where others may write if they may not rename what they do not own
 * (as in /tmp); and a link on the way is root's or this user's. Then nobody else can change what a path leads to.
 *
 * @returns its descriptor, of O_PATH
 * @throws Error saying what is wrong with what; the system error
 */
export function openOwnDirectory(path: string, options: WalkOptions = {}): number {
  const { uid: owner, dev } = rootDirectory();
  let device = dev; // who serves that serves all
  return walk(path, options, (stats, shown, isLast) => {
    // What a FUSE server says of owners is worth what the server is.
    const server = stats.dev === device ? undefined : serverOf(stats.dev);
    device = stats.dev;
    if (server !== undefined && !isTrusted(server))
      throw new Error(`${shown} is in a file system that user ${server} serves`);
    const isRootOwned = !isLast && stats.uid === owner;
    const problem = strangerOf(isRootOwned ? { ...stats, uid: 0 } : stats);
    const isShared =
      (!isLast || options.mayBeShared) &&
      (stats.mode & STICKY) !== 0 &&
      (isRootOwned || isTrusted(stats.uid));
    if (problem !== undefined && !isShared) throw new Error(isLast ? problem : `${shown} ${problem}`);
  });
}

/** As `openOwnDirectory`. @returns its path, without links */
export function mustBeOwnDirectory(path: string, options?: WalkOptions): string {
  const fd = openOwnDirectory(path, options);
  try {
    return pathOf(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * A directory of whomever: no stranger's link leads to it.
 *
 * @param below a directory that a relative path begins in; undefined: the working directory
 * @throws as `openOwnDirectory`
 */
export function openLinkedDirectory(path: string, below?: number): number {
  if (path.startsWith("/") || below !== undefined) return walk(path, { from: below }, () => {});
  const from = openPath(".", O_DIRECTORY); // what is above it may be closed to this user
  try {
    return walk(path, { from }, () => {});
  } finally {
    closeSync(from);
  }
}

/** In a user namespace all of the host's users are one, to whom the root directory belongs. */
function rootDirectory(): Stats {
  const root = openPath("/", O_DIRECTORY);
  try {
    return fstatSync(root);
  } finally {
    closeSync(root);
  }
}

/**
 * Whether a link is root's or this user's. In a user namespace it may be of whomever the root directory belongs to, as links of
 * the host's root are, where others may not make links.
 *
 * @param dir in which it lies
 */
export function mayFollow(dir: number, uid: number): boolean {
  if (isTrusted(uid)) return true;
  return uid === rootDirectory().uid && strangerOf({ ...fstatSync(dir), uid: 0 }) === undefined;
}

/** The user who mounted a FUSE file system; undefined for any other. @see proc_pid_mountinfo(5) */
function serverOf(dev: number): number | undefined {
  return serverIn(readFileSync("/proc/self/mountinfo", "latin1"), `${deviceMajor(dev)}:${deviceMinor(dev)}`);
}

/**
 * The mountpoint and the source are words of whoever mounts: what the kernel says are the options behind them.
 *
 * @param device `major:minor`
 */
export function serverIn(mountinfo: string, device: string): number | undefined {
  for (const line of mountinfo.split("\n")) {
    const [place = "", of = ""] = line.split(" - ");
    const [type = "", , options = ""] = of.split(" ");
    if (place.split(" ")[2] !== device || !/^fuse(blk)?(\.|$)/.test(type)) continue;
    const user = /(?:^|,)user_id=(\d+)(?:,|$)/.exec(options)?.[1];
    if (user !== undefined) return Number(user);
  }
  return undefined;
}

type Look = (stats: Stats, shown: string, isLast: boolean) => void;

/** @param look at each directory on the way, and the last one */
function walk(path: string, { make, from }: WalkOptions, look: Look): number {
  const isRelative = !path.startsWith("/");
  const base = isRelative && from !== undefined ? `/proc/self/fd/${from}` : "/";
  const way = new Way(isRelative && from === undefined ? `${process.cwd()}/${path}` : path, base);
  try {
    if (way.isOver) look(fstatSync(way.at), path, true);
    while (!way.isOver) way.step(make, look);
    return way.at;
  } catch (error) {
    closeSync(way.at);
    throw error;
  }
}

/** Goes from directory to directory by descriptors: what was looked at is what the next name is looked up in. */
class Way {
  /** The directory that was reached. */
  at: number;
  /** Names that are still to be looked up, the last one first. */
  private readonly rest: string[];
  private links = 0;

  constructor(path: string, base: string) {
    this.rest = partsOf(path);
    this.at = openPath(base, O_DIRECTORY);
  }

  get isOver(): boolean {
    return this.rest.length === 0;
  }

  step(make: number | undefined, look: Look): void {
    const name = this.rest.pop() ?? ".";
    const here = `/proc/self/fd/${this.at}/${name}`;
    const shown = `${pathOf(this.at).replace(/\/$/, "")}/${name}`;
    const found = openOrMake(here, make, shown);
    try {
      const stats = fstatSync(found);
      if (stats.isSymbolicLink()) this.follow(here, shown, stats.uid);
      else {
        if (!stats.isDirectory())
          throw new Error(this.isOver ? "not a directory" : `${shown}: not a directory`);
        look(stats, shown, this.isOver);
        this.goTo(`/proc/self/fd/${found}`);
      }
    } finally {
      closeSync(found);
    }
  }

  private follow(here: string, shown: string, uid: number): void {
    if (!mayFollow(this.at, uid)) throw new Error(`${shown} is a link that belongs to user ${uid}`);
    if (++this.links > MAX_SYMLINKS) throw new Error(`more than ${MAX_SYMLINKS} links`);
    // The links of /proc lead to what is open, whatever they say: it is looked at next.
    if (/^\/proc(\/|$)/.test(pathOf(this.at))) {
      this.goTo(here);
      this.rest.push(".");
      return;
    }
    const target = readlinkSync(here);
    this.rest.push(...partsOf(target));
    if (target.startsWith("/")) this.goTo("/");
  }

  private goTo(path: string): void {
    const next = openPath(path, O_DIRECTORY);
    closeSync(this.at);
    this.at = next;
  }
}

/** The last one first. */
const partsOf = (path: string): string[] =>
  path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .reverse();

function openOrMake(here: string, make: number | undefined, shown: string): number {
  try {
    return openPath(here, O_NOFOLLOW, shown);
  } catch (error) {
    if (make === undefined || codeOf(error) !== "ENOENT") throw error;
  }
  try {
    mkdirSync(here, { mode: make });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw renamed(error, here, shown);
  }
  return openPath(here, O_NOFOLLOW, shown);
}
