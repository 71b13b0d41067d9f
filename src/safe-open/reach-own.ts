import { closeSync, constants, fstatSync, readlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
import { codeOf } from "../bytes/errors.ts";
import { MAX_SYMLINKS } from "../bytes/limits.ts";
import { openPath, pathOf } from "./open-file.ts";
import { mayFollow, openLinkedDirectory } from "./own-directory.ts";

/** What a path leads to by links of root and of this user only. */
export interface Reached {
  /** Where it lies: no such link any more. */
  readonly path: string;
  /** Of O_PATH; undefined: nothing is there, or a stranger's link, which is a name that can be taken. */
  readonly fd: number | undefined;
}

/**
 * Follows the path of what is to be written, whoever has put links there.
 *
 * @throws Error for a stranger's link on the way; the system error
 */
export function reachOwn(path: string): Reached {
  let at = path;
  for (let links = 0; links < MAX_SYMLINKS; links++) {
    const dir = openLinkedDirectory(dirname(at));
    try {
      const here = `/proc/self/fd/${dir}/${basename(at)}`;
      // The links of /proc lead to what is open, whatever they say: /dev/fd/63 is one.
      const isOpen = pathOf(dir).startsWith("/proc/");
      const fd = find(here, isOpen ? 0 : constants.O_NOFOLLOW, at);
      if (fd === undefined) return { path: at, fd };
      const stats = fstatSync(fd);
      if (!stats.isSymbolicLink()) return { path: isOpen ? pathOf(fd) : at, fd };
      closeSync(fd);
      if (!mayFollow(dir, stats.uid)) return { path: at, fd: undefined };
      const target = readlinkSync(here);
      at = target.startsWith("/") ? target : `${dirname(at)}/${target}`;
    } finally {
      closeSync(dir);
    }
  }
  throw new Error(`more than ${MAX_SYMLINKS} links`);
}

function find(here: string, flags: number, name: string): number | undefined {
  try {
    return openPath(here, flags, name);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
