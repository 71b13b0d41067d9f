import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "../bytes/errors.ts";
import { contentAt } from "./content.ts";
import { temporaryName } from "./temporary.ts";

const { O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW } = constants;

export interface ReplaceOptions {
  /** Permissions, whatever the umask is. */
  readonly mode: number;
  /**
   * On disk with its name when this returns. "content": a crash may take the name, but leaves nothing else under it. false: it may
   * leave anything or nothing.
   */
  readonly isDurable: boolean | "content";
  /** A name that only the caller uses, which it removes itself after a kill; without it, a free one. */
  readonly temporary?: string;
}

/**
 * Writes a file in place of whatever has its name: a reader finds the old one or the new one, whole. A link of
 * that name is replaced, not followed. For what is written at once: a signal that ends the process in between leaves
 * the temporary file, see AtomicFile.
 *
 * @throws the system error: what was there is there still, and the temporary file is gone
 */
export function replaceFile(path: string, content: string | Uint8Array, options: ReplaceOptions): void {
  const { mode, isDurable, temporary } = options;
  const flags = O_WRONLY | O_CREAT | (temporary === undefined ? O_EXCL : O_TRUNC | O_NOFOLLOW);
  replaceBy(
    path,
    (name) => {
      const fd = openSync(name, flags, mode);
      try {
        fchmodSync(fd, mode);
        writeFileSync(fd, content);
        if (isDurable !== false) fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    },
    temporary,
  );
  if (isDurable === true) syncDirectory(dirname(path));
}

/** The same with a file that `make` makes under the name that it is given. @throws what `make` throws, too */
export function replaceBy(
  path: string,
  make: (temporary: string) => void,
  temporary = temporaryName(path),
): void {
  try {
    make(temporary);
    renameSync(temporary, path);
  } finally {
    // Also of success: rename(2) leaves one of two names of the same file alone. An error takes longer than a look.
    if (lstatSync(temporary, { throwIfNoEntry: false }) !== undefined) rmSync(temporary, { force: true });
  }
}

/**
 * Gives a file the name that its content has, unless that is there. `from` is gone then.
 *
 * @param fd of it
 * @throws Error when another file has that name: see `contentAt`
 */
export function putContent(from: string, to: string, fd: number): void {
  try {
    linkSync(from, to);
  } catch (error) {
    // Or a file system without hard links.
    const isThere = codeOf(error) === "EEXIST" && contentAt(to, fd) === "same";
    if (!isThere) renameSync(from, to);
  }
  rmSync(from, { force: true });
}

/** Makes a rename or link in a directory outlive a crash. */
export function syncDirectory(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
