import { lstatSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { MAX_SYMLINKS } from "../bytes/limits.ts";
import type { MountEntry } from "./table.ts";

/** What a path leads to. */
export interface Reached {
  /** Without links, as far as it was followed. */
  readonly path: string;
  /** Mounted there, or what it lies in; undefined: it is no mountpoint, and lies in none that was wanted. */
  readonly mount: MountEntry | undefined;
}

/**
 * Follows a path up to the first mount that is wanted, and never into it: whoever serves that may be dead, hang or be
 * stopped, and would be asked for what lies there.
 *
 * @param table in mount order
 */
export function reachedBy(
  path: string,
  table: readonly MountEntry[],
  isWanted: (mount: MountEntry) => boolean,
): Reached {
  const at = (place: string) => table.findLast(({ mountpoint }) => mountpoint === place);
  const rest = (path.startsWith("/") ? path : `${process.cwd()}/${path}`).split("/").reverse();
  let here = "/";
  for (let links = 0; rest.length > 0; ) {
    const name = rest.pop() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      here = dirname(here);
      continue;
    }
    const next = join(here, name);
    const mount = at(next);
    if (mount !== undefined && isWanted(mount)) return { path: join(next, ...rest.reverse()), mount };
    const target = linkAt(next);
    if (target === undefined) here = next;
    else {
      if (++links > MAX_SYMLINKS) return { path: next, mount: undefined };
      rest.push(...target.split("/").reverse());
      if (target.startsWith("/")) here = "/";
    }
  }
  return { path: here, mount: at(here) };
}

/** @returns where a link leads; undefined for what is none, or is not there */
function linkAt(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
