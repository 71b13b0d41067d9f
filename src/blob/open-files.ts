import { closeSync } from "node:fs";
import { type BlobFile, openSame } from "./locate.ts";

/** Open files a thread keeps beyond those that are held for all threads. */
export const MAX_OPEN = 256;

/**
 * Files opened when first read, read-only and close-on-exec (Node's default), the least recently used closed beyond
 * `max`. One per thread, for all images that it reads.
 */
export class OpenFiles {
  /** In the order in which they were asked for, the one that nobody has asked for longest first. */
  private readonly open = new Map<BlobFile, number>();
  private readonly max: number;

  constructor(max = MAX_OPEN) {
    this.max = max;
  }

  /** @throws when there is no such file any more, or another one */
  descriptor(file: BlobFile): number {
    const fd = this.open.get(file);
    if (fd === undefined) return this.openFile(file);
    this.open.delete(file);
    this.open.set(file, fd);
    return fd;
  }

  /** Closes those of an image that is no longer read. */
  drop(files: readonly BlobFile[]): void {
    for (const file of files) {
      const fd = this.open.get(file);
      if (fd === undefined) continue;
      this.open.delete(file);
      closeSync(fd);
    }
  }

  close(): void {
    this.drop([...this.open.keys()]);
  }

  private openFile(file: BlobFile): number {
    const fd = openSame(file);
    this.open.set(file, fd);
    const [oldest] = this.open.keys();
    if (oldest !== undefined && this.open.size > this.max) this.drop([oldest]);
    return fd;
  }
}
