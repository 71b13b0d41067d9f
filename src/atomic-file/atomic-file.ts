import { closeSync, fdatasync, fstatSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf, messageOf, OperationalError } from "../bytes/errors.ts";
import { openLinkedDirectory } from "../safe-open/own-directory.ts";
import { registerTemporary, unregisterTemporary } from "./clean-up.ts";
import { putContent, syncDirectory } from "./replace-file.ts";
import { mustBeReplaceable } from "./replaceable.ts";
import { removeLeftovers, temporaryName } from "./temporary.ts";

/** Written bytes after which the disk is set to work: then little is left to wait for at the end. */
const FLUSH_EVERY = 64 << 20;
/** A writer that could not go on stopped less than this before the end of the disk: igzip writes 256 KiB or, on ext4, nothing (measured). */
const BIT_MORE = 4 << 20;

/**
 * A file that appears under its name only when it is whole and on disk. Until then it has another name in the same
 * directory, which goes away on `discard`, on the signals that end a program, and, after a crash, when the next one is made.
 */
export class AtomicFile {
  readonly path: string;
  readonly fd: number;
  private readonly temporary: string;
  private isDone = false;
  private flushedBytes = 0;
  private flushing: Promise<void> | undefined;
  private problem: Error | undefined;
  private readonly isDurable: boolean;

  /**
   * @param isDurable its name outlives a crash only together with what is in it; without that a name must say that
   *   it is not to be trusted afterwards
   * @throws OperationalError when the name is that of no file, or a stranger's link leads there; the system error of opening it
   */
  constructor(path: string, isDurable = true) {
    mustBeReached(path);
    mustBeReplaceable(path);
    this.path = path;
    this.isDurable = isDurable;
    this.temporary = temporaryName(path);
    registerTemporary(this.temporary); // first: a signal may come as soon as it is there
    try {
      // Not 0666: where a directory has an ACL for what is made in it, no umask counts, and others could write.
      this.fd = openSync(this.temporary, "wx+", 0o644);
      removeLeftovers(path);
    } catch (error) {
      unregisterTemporary(this.temporary);
      throw error;
    }
  }

  /**
   * @param at byte of the file; without it behind what was written last
   * @throws OperationalError naming the file
   */
  write(bytes: Uint8Array, at?: number): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.fd, bytes, done, bytes.length - done, at === undefined ? null : at + done);
    } catch (error) {
      throw this.named(error);
    }
  }

  /**
   * To be called after an external writer to `fd` failed: probes for ENOSPC, which many programs do not report. The
   * content is worth nothing then.
   *
   * @throws what the disk says to a few bytes more
   */
  probeSpace(): void {
    this.write(new Uint8Array(BIT_MORE), fstatSync(this.fd).size);
  }

  /**
   * Sets the disk to work while a long file grows. `flushed` before `commit` or `discard`.
   *
   * @param size bytes so far
   */
  flushBehind(size: number): void {
    if (!this.isDurable || size - this.flushedBytes < FLUSH_EVERY || this.flushing !== undefined) return;
    this.flushedBytes = size;
    this.flushing = flush(this.fd).then((problem) => {
      this.problem ??= problem;
      this.flushing = undefined;
    });
  }

  /** Waits until only the caller uses the descriptor. @throws what the disk said; it says it only once */
  async flushed(): Promise<void> {
    await this.flushing;
    if (this.problem !== undefined) throw this.named(this.problem);
  }

  /**
   * @param path its final name, when that is known only now
   * @param isContent the name says what is in it: a file of that name and content stays, because another process
   *   may have found it already and means that very file
   * @param syncsDirectory without that the name is not on disk until the caller has the directory synced
   */
  commit(path = this.path, isContent = false, syncsDirectory = true): void {
    if (this.isDurable) this.sync();
    if (isContent) putContent(this.temporary, path, this.fd);
    else renameSync(this.temporary, path);
    this.isDone = true;
    unregisterTemporary(this.temporary);
    closeSync(this.fd);
    if (this.isDurable && syncsDirectory) syncDirectory(dirname(path));
  }

  private sync(): void {
    try {
      fsyncSync(this.fd);
    } catch (error) {
      throw this.named(error);
    }
  }

  /** The system names no file where it was given a descriptor. */
  private named(error: unknown): OperationalError {
    return new OperationalError(`${this.path}: ${messageOf(error)}`, { cause: error });
  }

  /** Removes what there is so far; nothing after `commit`. */
  discard(): void {
    if (this.isDone) return;
    this.isDone = true;
    closeSync(this.fd);
    rmSync(this.temporary, { force: true });
    unregisterTemporary(this.temporary);
  }
}

/** A missing directory is for who opens the file to say. */
function mustBeReached(path: string): void {
  try {
    closeSync(openLinkedDirectory(dirname(path)));
  } catch (error) {
    if (codeOf(error) === "") throw new OperationalError(`${path}: ${messageOf(error)}`);
  }
}

const flush = (fd: number): Promise<Error | undefined> =>
  new Promise((resolve) => fdatasync(fd, (error) => resolve(error ?? undefined)));
