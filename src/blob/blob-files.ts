import { closeSync, read as readCallback, readSync } from "node:fs";
import { promisify } from "node:util";
import { LRUCache } from "lru-cache";
import { EIO } from "../bytes/errno.ts";
import { messageOf } from "../bytes/errors.ts";
import { ABSENT, type BlobFile, openBlob } from "./locate.ts";

const readAsync = promisify(readCallback);

/** Open files a thread keeps; an image has at most a few hundred blobs, a daemon may have many images. */
export const MAX_OPEN = 256;

const endsBefore = (byte: number): string => `ends before byte ${byte}: it was truncated`;

/** Told when a blob's file cannot give what it promised: once a blob, not once a read. */
export type OnLoss = (blob: number, problem: string) => void;

/**
 * The files that hold data, opened when first read, read-only and close-on-exec (Node's default), the least
 * recently used closed beyond `max`. One per thread.
 */
export class BlobFiles {
  private readonly files: readonly BlobFile[];
  private readonly onLoss: OnLoss;
  private readonly open: LRUCache<number, number>;
  private readonly lost: Uint8Array;

  /** @param lost a byte a file, 1 once its loss was told: shared memory, when several threads read the same files */
  constructor(
    files: readonly BlobFile[],
    onLoss: OnLoss,
    lost: Uint8Array = new Uint8Array(files.length),
    max = MAX_OPEN,
  ) {
    this.files = files;
    this.onLoss = onLoss;
    this.lost = lost;
    this.open = new LRUCache({ max, dispose: (fd) => closeSync(fd) });
  }

  /**
   * Reads into `out[at…]`.
   *
   * @param address byte of the file, below what it was long at opening
   * @returns `length`, or -EIO when the file has become shorter, was replaced, or cannot be read
   */
  read(blob: number, address: number, length: number, out: Uint8Array, at: number): number {
    try {
      const fd = this.descriptor(blob);
      let done = 0;
      while (done < length) {
        const n = readSync(fd, out, at + done, length - done, address + done);
        if (n === 0) return this.lose(blob, endsBefore(address + length));
        done += n;
      }
      return done;
    } catch (error) {
      return this.lose(blob, messageOf(error));
    }
  }

  /** As `read`, while the thread does something else. */
  async readLater(
    blob: number,
    address: number,
    length: number,
    out: Uint8Array,
    at: number,
  ): Promise<number> {
    try {
      const fd = this.descriptor(blob);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await readAsync(fd, out, at + done, length - done, address + done);
        if (bytesRead === 0) return this.lose(blob, endsBefore(address + length));
        done += bytesRead;
      }
      return done;
    } catch (error) {
      return this.lose(blob, messageOf(error));
    }
  }

  /** Opens every file up to the bound now, so that deleting one later loses nothing. */
  openAll(): void {
    for (let i = 0; i < this.files.length && i < this.open.max; i++) {
      if (!this.open.has(i) && this.files[i].ino !== ABSENT.ino) this.openFile(i);
    }
  }

  /** The same files, with the descriptors that are open here: they belong to the process, not to a thread. */
  shared(): BlobFile[] {
    return this.files.map((file, i) => {
      const fd = this.open.peek(i);
      return fd === undefined ? file : { ...file, fd };
    });
  }

  close(): void {
    this.open.clear();
  }

  private descriptor(blob: number): number {
    return this.files[blob].fd ?? this.open.get(blob) ?? this.openFile(blob);
  }

  private openFile(blob: number): number {
    const file = this.files[blob];
    const { fd, stats } = openBlob(file.path);
    if (stats.dev !== file.dev || stats.ino !== file.ino) {
      closeSync(fd);
      throw new Error("another file than when the image was mounted");
    }
    this.open.set(blob, fd);
    return fd;
  }

  private lose(blob: number, problem: string): number {
    if (Atomics.exchange(this.lost, blob, 1) === 0) this.onLoss(blob, `${this.files[blob].path}: ${problem}`);
    return -EIO;
  }
}
