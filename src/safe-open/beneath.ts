import { closeSync, constants, type Stats } from "node:fs";
import { join } from "node:path";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import { mustBeRegular, type OpenFile, openFile, openPath, pathOf } from "./open-file.ts";

/**
 * Opens the regular file that has a name below a directory. Links may lead about in there, and to the other
 * directories, which the user has named as well: not out of them. The name is not trusted.
 *
 * @param name of one part or more, from the directory on
 * @param others directories
 * @throws OperationalError when it is no regular file or lies elsewhere; the system error of opening it
 */
export function openBeneath(dir: string, name: string, others: readonly string[] = []): OpenFile {
  const root = openPath(dir, constants.O_DIRECTORY);
  try {
    const check = (stats: Stats, path: string) => {
      // Of links that lead out, not even what they lead to is said.
      if (!isBelow(path, pathOf(root))) mustLieIn(path, others, dir);
      mustBeRegular(stats);
    };
    return openFile(`/proc/self/fd/${root}/${name}`, check, join(dir, name));
  } finally {
    closeSync(root);
  }
}

function mustLieIn(path: string, dirs: readonly string[], said: string): void {
  if (!dirs.some((dir) => isBelow(path, realPathOf(dir))))
    throw new OperationalError(`a link leads out of ${said}`, {
      advice: "name the directory that it leads to with --blob-dir, too",
    });
}

/** undefined: there is no such directory. */
function realPathOf(dir: string): string | undefined {
  let fd: number;
  try {
    fd = openPath(dir, constants.O_DIRECTORY);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
  try {
    return pathOf(fd);
  } finally {
    closeSync(fd);
  }
}

const isBelow = (path: string, dir: string | undefined): boolean =>
  dir !== undefined && path.startsWith(dir === "/" ? dir : `${dir}/`);
