import { spawnSync } from "node:child_process";
import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "../bytes/errors.ts";

const { O_RDWR, O_WRONLY, O_RDONLY, O_NONBLOCK, O_NOFOLLOW, O_DIRECTORY } = constants;

/*
 * That a session lives: its processes have a fifo beside its state open for reading, which the kernel closes when the last
 * of them ends, however it does. It is seen from every namespace, where a pid is not, and Node can ask without a lock's
 * system call: a fifo that nobody reads cannot be opened for writing. Why not flock: docs/decisions/0036-who-lives.md.
 */

/**
 * Has this process hold a session. The keeper finds the fifo below the directory, which is open for that: see `hold` in
 * keeper.sh.
 *
 * @returns false where it cannot: then only the pids of the state tell
 */
export function holdAlive(path: string): boolean {
  try {
    if (!open(path)) {
      spawnSync("mkfifo", ["-m", "600", path], { stdio: "ignore" });
      if (!open(path)) return false;
    }
    openSync(dirname(path), O_RDONLY | O_DIRECTORY);
    return true;
  } catch {
    return false;
  }
}

function open(path: string): boolean {
  try {
    const fd = openSync(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW);
    if (isFifo(fd)) return true;
    closeSync(fd);
    return false;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** @returns whether a process holds the session; undefined: nothing was made that says so */
export function isHeld(path: string): boolean | undefined {
  try {
    const fd = openSync(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
    const isHeldByOthers = isFifo(fd);
    closeSync(fd);
    return isHeldByOthers ? true : undefined;
  } catch (error) {
    if (codeOf(error) === "ENXIO") return false;
    return codeOf(error) === "ENOENT" ? undefined : true;
  }
}

/**
 * In bigints, because Node stops resolving links in the path of a module where the last file that was looked at in plain
 * numbers was a fifo (lib/fs.js, realpathSync): a package below a link would be loaded as two halves.
 */
const isFifo = (fd: number): boolean => fstatSync(fd, { bigint: true }).isFIFO();
