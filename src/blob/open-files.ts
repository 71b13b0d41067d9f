import { closeSync } from "node:fs";
import { LRUCache } from "lru-cache";
import { type BlobFile, openSame } from "./locate.ts";

/** Open files a thread keeps beyond those that are held for all threads. */
export const MAX_OPEN = 256;

/**
 * Files opened when first read, read-only and close-on-exec (Node's default), the least recently used closed beyond
 * `max`. One per thread, for all images that it reads.
 */
export class OpenFiles {
  private readonly open: LRUCache<BlobFile, number>;

  constructor(max = MAX_OPEN) {
    this.open = new LRUCache({ max, dispose: (fd) => closeSync(fd) });
  }

  /** @throws when there is no such file any more, or another one */
  descriptor(file: BlobFile): number {
    return this.open.get(file) ?? this.openFile(file);
  }

  /** Closes those of an image that is no longer read. */
  drop(files: readonly BlobFile[]): void {
    for (const file of files) this.open.delete(file);
  }

  close(): void {
    this.open.clear();
  }

  private openFile(file: BlobFile): number {
    const fd = openSame(file);
    this.open.set(file, fd);
    return fd;
  }
}
