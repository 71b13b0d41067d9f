import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { codeOf } from "../bytes/errors.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** Temporary names that are in use: a signal that ends the process takes them along. */
const unfinished = new Set<string>();

/**
 * A file that appears under its name only when it is whole and on disk. Until then it has another name in the same
 * directory, which goes away on `discard` and on the signals that end a program.
 */
export class AtomicFile {
  readonly path: string;
  readonly fd: number;
  private readonly temporary: string;
  private isDone = false;

  /** @throws the system error of opening it */
  constructor(path: string) {
    this.path = path;
    this.temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
    this.fd = openSync(this.temporary, "wx+", 0o666);
    keep(this.temporary);
  }

  /** @param at byte of the file; without it behind what was written last */
  write(bytes: Uint8Array, at?: number): void {
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.fd, bytes, done, bytes.length - done, at === undefined ? null : at + done);
  }

  /**
   * @param path its final name, when that is known only now
   * @param isContent the name says what is in it: a file of that name and length stays, because somebody may have
   *   found it already and means that very file
   */
  commit(path = this.path, isContent = false): void {
    fsyncSync(this.fd);
    if (isContent) putContent(this.temporary, path);
    else renameSync(this.temporary, path);
    this.isDone = true;
    release(this.temporary);
    closeSync(this.fd);
    syncDirectory(dirname(path));
  }

  /** Removes what there is so far; nothing after `commit`. */
  discard(): void {
    if (this.isDone) return;
    this.isDone = true;
    closeSync(this.fd);
    rmSync(this.temporary, { force: true });
    release(this.temporary);
  }
}

/** Gives a file the name that its content has, unless that is there. `from` is gone then. */
export function putContent(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    const isThere = codeOf(error) === "EEXIST" && statSync(to).size === statSync(from).size;
    if (!isThere) renameSync(from, to); // damaged, or a file system without hard links
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

function leave(signal: NodeJS.Signals): void {
  for (const path of unfinished) rmSync(path, { force: true });
  for (const each of SIGNALS) process.removeListener(each, leave);
  process.kill(process.pid, signal); // nobody listens any more: this ends the process, as that signal does
}

function keep(path: string): void {
  if (unfinished.size === 0) for (const signal of SIGNALS) process.once(signal, leave);
  unfinished.add(path);
}

function release(path: string): void {
  unfinished.delete(path);
  if (unfinished.size === 0) for (const signal of SIGNALS) process.removeListener(signal, leave);
}
