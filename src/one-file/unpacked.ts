import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { replaceFile } from "../atomic-file/replace-file.ts";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { cacheDirectory, runtimeDirectory } from "../bytes/user-directories.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import { readBounded } from "../safe-open/read-bounded.ts";
import { strangerOf } from "../safe-open/strangers.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/** Something of the executable that the system reads only from a file: an addon, a script of the shell. */
export interface Part {
  /** A relative path: what it is called there. */
  readonly name: string;
  /** sha256 of its bytes: versions lie beside one another. */
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/**
 * Where parts may lie, the one that is wanted most first. Any of them may be missing, a stranger's, or on what runs nothing.
 *
 * @param memory a file system for what no disk takes
 */
export function places(memory = "/dev/shm"): string[] {
  const runtime = runtimeDirectory();
  const own = `nydusd-ts-${process.geteuid?.() ?? 0}`;
  const dirs = [
    cacheDirectory(),
    runtime && join(runtime, "nydusd-ts"),
    join(tmpdir(), own),
    join(memory, own),
  ];
  return dirs.flatMap((dir) => (dir === undefined ? [] : [join(dir, "parts")]));
}

/**
 * Has `use` take a part that lies in a directory of root's or of this user, by the rule of
 * docs/decisions/0034-whose-files.md. What lies there already is compared to the last byte, and replaced where it is another.
 *
 * @param use gets its path; where it throws, as for an addon on a file system that is mounted noexec, the next place is tried
 * @param where the places
 * @throws OperationalError saying of each place why it will not do
 */
export function withUnpacked<T>(part: Part, use: (path: string) => T, where = places()): T {
  const problems: string[] = [];
  for (const place of where)
    try {
      return use(unpack(part, place));
    } catch (error) {
      problems.push(`${place}: ${messageOf(error)}`);
    }
  throw new OperationalError(`no directory for ${basename(part.name)}: ${problems.join("; ")}`, {
    advice: "set XDG_CACHE_HOME to a directory of your own",
  });
}

/** @returns its path, without links @throws Error when the directory is not one's own, or cannot be written to */
function unpack({ name, digest, bytes }: Part, place: string): string {
  const dir = mustBeOwnDirectory(join(place, digest, dirname(name)), { make: 0o700 });
  const path = join(dir, basename(name));
  if (!isThere(path, bytes)) replaceFile(path, bytes, { mode: 0o500, isDurable: false });
  return path;
}

/** Since the directory is one's own, the path leads to the same file afterwards. */
function isThere(path: string, bytes: Uint8Array): boolean {
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ELOOP") return false;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile() || stats.nlink !== 1 || strangerOf(stats) !== undefined) return false;
    return readBounded(fd, bytes.length)?.equals(bytes) ?? false;
  } finally {
    closeSync(fd);
  }
}
