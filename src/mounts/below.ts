import { MAX_SYMLINKS } from "../bytes/limits.ts";
import { readlinkSync } from "node:fs";
import { resolve } from "node:path";

/**
 * Whether a path leads to or below a directory, wherever symbolic links on the way point to. Nothing below that
 * directory is touched to find out: it may be a mount that waits for this very process.
 *
 * @param isThere knows the directory by its path, which has no symbolic link in it
 */
export function leadsBelow(path: string, isThere: (directory: string) => boolean): boolean {
  let rest = resolve(path).split("/").slice(1);
  let at = "";
  for (let links = 0; rest.length > 0 && links <= MAX_SYMLINKS; ) {
    if (isThere(at || "/")) return true;
    const next = `${at}/${rest[0]}`;
    if (isThere(next)) return true;
    const target = readlink(next);
    if (target === undefined) {
      at = next;
      rest = rest.slice(1);
    } else {
      links++;
      rest = [
        ...resolve(at || "/", target)
          .split("/")
          .slice(1),
        ...rest.slice(1),
      ];
      at = "";
    }
  }
  return false;
}

/** @returns undefined for what is none */
function readlink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
