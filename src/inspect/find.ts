import { bytesOf } from "../bytes/any-bytes.ts";
import { OperationalError } from "../bytes/errors.ts";
import { child, rootOf, type WalkEntry } from "../fs/walk.ts";
import type { FileSystem } from "../vfs/file-system.ts";

/** The names of a path, outermost first; `.` is left out. `..` is a name that nothing has. */
export const namesOf = (path: string): Uint8Array[] =>
  path
    .split("/")
    .filter((name) => name !== "" && name !== ".")
    .map(bytesOf);

/**
 * Finds a path from the root of the image. Symlinks are not followed: this looks at what is there, and
 * `..` is no name in it.
 *
 * @throws OperationalError when there is nothing of that name
 */
export function findPath(fs: FileSystem, path: string): WalkEntry {
  let at = rootOf(fs);
  for (const name of namesOf(path)) {
    const next = UP.equals(name) ? undefined : child(fs, at, name);
    if (next === undefined) throw new OperationalError(`${path}: no such file in the image`);
    at = next;
  }
  return at;
}

const UP = Buffer.from("..");
