import { MAX_SYMLINKS } from "../bytes/limits.ts";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";

const { O_NOFOLLOW, O_NONBLOCK } = constants;
const STICKY = 0o1000;
const OTHERS_WRITE = 0o002;

/**
 * Opens a file to write to it, where others may have put something in its place: what the kernel does when
 * fs.protected_symlinks, fs.protected_regular and fs.protected_fifos are set, which is not so everywhere. A link that
 * belongs to root or to this user is followed; a stranger's is not, and in a directory where every user may make files
 * neither is a stranger's file taken. A fifo without a reader is an error (ENXIO), not a reason to wait.
 *
 * @param flags O_TRUNC is for afterwards: until then it may be another user's file
 * @throws the system error of opening it, or an Error saying whose it is
 * @see https://docs.kernel.org/admin-guide/sysctl/fs.html
 */
export function openOwn(path: string, flags: number, mode: number): number {
  let at = path;
  for (let links = 0; links < MAX_SYMLINKS; links++) {
    const opened = openHere(at, flags, mode);
    if (typeof opened === "string") {
      at = opened;
      continue;
    }
    try {
      mustBeOwnFile(opened, at);
      return opened;
    } catch (error) {
      closeSync(opened);
      throw error;
    }
  }
  throw new Error(`more than ${MAX_SYMLINKS} links`);
}

/** @returns the descriptor, or where a link leads that may be followed */
function openHere(path: string, flags: number, mode: number): number | string {
  try {
    return openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (error) {
    // ELOOP, or EACCES in a sticky directory.
    const link = lstatSync(path, { throwIfNoEntry: false });
    if (!link?.isSymbolicLink()) throw error;
    if (!isTrusted(link.uid)) throw new Error(`${path} is a link that belongs to user ${link.uid}`);
    // The links of /proc lead to what is open, whatever they say: /dev/stdout leads to one.
    if (realpathSync(dirname(path)).startsWith("/proc/"))
      return openSync(path, (flags | O_NONBLOCK) & ~constants.O_CREAT);
    const target = readlinkSync(path);
    return target.startsWith("/") ? target : `${dirname(path)}/${target}`;
  }
}

/** Where every user may make files, one that is open may be a stranger's, or have a stranger's name. */
function mustBeOwnFile(fd: number, path: string): void {
  const { mode } = statSync(dirname(path));
  if ((mode & STICKY) === 0 || (mode & OTHERS_WRITE) === 0) return;
  const { uid, nlink } = fstatSync(fd);
  if (nlink > 1) throw new Error(`${path} has ${nlink} names`);
  if (!isTrusted(uid)) throw new Error(`${path} belongs to user ${uid}`);
}

/**
 * A directory whose contents are believed: no other user may have put them there.
 *
 * @throws Error saying what is wrong with it
 */
export function mustBeOwnDirectory(path: string): void {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) throw new Error("not a directory");
  if (!isTrusted(stats.uid)) throw new Error(`belongs to user ${stats.uid}`);
  if ((stats.mode & OTHERS_WRITE) !== 0) throw new Error("every user may write to it");
}

const isTrusted = (uid: number): boolean => uid === 0 || uid === process.geteuid?.();
