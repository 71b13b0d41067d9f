import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * A file that appears under its name only when it is whole and on disk. Until then it has another name in the same
 * directory; `discard` leaves nothing.
 */
export class AtomicFile {
  readonly path: string;
  readonly fd: number;
  private readonly temporary: string;
  private isDone = false;

  /** @throws the system error of opening it */
  constructor(path: string) {
    this.path = path;
    this.temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}`);
    this.fd = openSync(this.temporary, "wx+", 0o644);
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done);
  }

  /** @param path its final name, when that is known only now */
  commit(path = this.path): void {
    fsyncSync(this.fd);
    renameSync(this.temporary, path);
    this.isDone = true;
    closeSync(this.fd);
    syncDirectory(dirname(path));
  }

  /** Removes what there is so far; nothing after `commit`. */
  discard(): void {
    if (this.isDone) return;
    this.isDone = true;
    closeSync(this.fd);
    rmSync(this.temporary, { force: true });
  }
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
