import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from "node:fs";
import { basename, dirname } from "node:path";
import { codeOf } from "../bytes/errors.ts";
import { MAX_SYMLINKS } from "../bytes/limits.ts";
import { pathOf, renamed } from "./open-file.ts";
import { mayFollow, openLinkedDirectory } from "./own-directory.ts";
import { isTrusted, strangerOf } from "./strangers.ts";

const { O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * Opens a file to write to it, where others may have put something in its place: what the kernel does when
 * fs.protected_symlinks, fs.protected_regular and fs.protected_fifos are set, which is not so everywhere. A link that
 * belongs to root or to this user is followed, on the way, too; a stranger's is not, and where strangers may make files
 * neither is a stranger's file taken. A fifo without a reader is an error (ENXIO), not a reason to wait.
 *
 * @param flags O_TRUNC is for afterwards: until then it may be another user's file
 * @throws the system error of opening it, or an Error saying whose it is
 * @see https://docs.kernel.org/admin-guide/sysctl/fs.html
 */
export function openOwn(path: string, flags: number, mode: number): number {
  let at = path;
  for (let links = 0; links < MAX_SYMLINKS; links++) {
    const found = openIn(at, flags, mode);
    if (typeof found === "number") return found;
    at = found;
  }
  throw new Error(`more than ${MAX_SYMLINKS} links`);
}

/** @returns the descriptor, or where a link leads that may be followed */
function openIn(path: string, flags: number, mode: number): number | string {
  const dir = openLinkedDirectory(dirname(path));
  try {
    const found = openHere(dir, path, flags, mode);
    if (typeof found === "string") return found;
    try {
      mustBeOwnFile(fstatSync(found), dir, path);
      return found;
    } catch (error) {
      closeSync(found);
      throw error;
    }
  } finally {
    closeSync(dir);
  }
}

function openHere(dir: number, path: string, flags: number, mode: number): number | string {
  const here = `/proc/self/fd/${dir}/${basename(path)}`;
  try {
    return openSync(here, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  } catch (error) {
    // ELOOP, or EACCES in a sticky directory.
    const link = lstatSync(here, { throwIfNoEntry: false });
    if (!link?.isSymbolicLink()) {
      // The kernel refuses what lies in another's place without a word about whose it is.
      if (link !== undefined && codeOf(error) === "EACCES") mustBeOwnFile(link, dir, path);
      throw renamed(error, here, path);
    }
    if (!mayFollow(dir, link.uid)) throw new Error(`${path} is a link that belongs to user ${link.uid}`);
    const real = pathOf(dir);
    // The links of /proc lead to what is open, whatever they say: /dev/stdout leads to one.
    if (real.startsWith("/proc/")) return openSync(here, (flags | O_NONBLOCK) & ~constants.O_CREAT);
    const target = readlinkSync(here);
    return target.startsWith("/") ? target : `${dirname(path)}/${target}`;
  }
}

/** Where others may make files, one that is open may be a stranger's, or have a stranger's name. */
function mustBeOwnFile({ uid, nlink }: Stats, dir: number, path: string): void {
  if (strangerOf(fstatSync(dir)) === undefined) return;
  if (nlink > 1) throw new Error(`${path} has ${nlink} names`);
  if (!isTrusted(uid)) throw new Error(`${path} belongs to user ${uid}`);
}
