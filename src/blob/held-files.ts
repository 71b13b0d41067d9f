import { closeSync } from "node:fs";
import { codeOf, OperationalError, problemOf } from "../bytes/errors.ts";
import { ABSENT, type BlobFile, openSame } from "./locate.ts";

interface HeldFile {
  readonly fd: number;
  users: number;
}

/**
 * Files kept open for all threads, whatever becomes of their paths: each once, however many images read it. Those
 * beyond the bound are opened by the threads that read them.
 */
export class HeldFiles {
  private readonly held = new Map<string, HeldFile>();
  private readonly max: number;

  /** @param max an image has at most a few hundred blobs, a daemon may have many images */
  constructor(max = 1024) {
    this.max = max;
  }

  /** Files that are open. */
  get size(): number {
    return this.held.size;
  }

  /**
   * @returns the same files, with descriptors as far as they go; to be released as they are
   * @throws OperationalError naming a file that is not there any more, or is another one; nothing is held then
   */
  hold(files: readonly BlobFile[]): BlobFile[] {
    const taken: BlobFile[] = [];
    try {
      for (const file of files) taken.push(this.take(file));
    } catch (error) {
      this.release(taken);
      throw error;
    }
    return taken;
  }

  release(files: readonly BlobFile[]): void {
    for (const file of files) {
      const held = this.held.get(keyOf(file));
      if (file.fd === undefined || held === undefined || --held.users > 0) continue;
      this.held.delete(keyOf(file));
      closeSync(held.fd);
    }
  }

  private take(file: BlobFile): BlobFile {
    if (file.ino === ABSENT.ino) return file;
    let held = this.held.get(keyOf(file));
    if (held === undefined) {
      const fd = this.held.size < this.max ? openUnlessFull(file) : undefined;
      if (fd === undefined) return file;
      held = { fd, users: 0 };
      this.held.set(keyOf(file), held);
    }
    held.users++;
    return { ...file, fd: held.fd };
  }
}

const keyOf = ({ dev, ino }: BlobFile): string => `${dev}:${ino}`;

/** @returns undefined when the process may not have more files open */
function openUnlessFull(file: BlobFile): number | undefined {
  try {
    return openSame(file);
  } catch (error) {
    if (codeOf(error) === "EMFILE") return undefined;
    throw new OperationalError(`${file.path}: ${problemOf(error)}`, { cause: error });
  }
}
