import { elementAt } from "../bytes/element-at.ts";
import { read as readCallback, readSync } from "node:fs";
import { promisify } from "node:util";
import { EIO } from "../bytes/errno.ts";
import { messageOf } from "../bytes/errors.ts";
import { CheckedReader, type OnCorrupt } from "./checked-reader.ts";
import type { BlobFile } from "./locate.ts";
import { OpenFiles } from "./open-files.ts";

const readAsync = promisify(readCallback);

const endsBefore = (byte: number): string => `ends before byte ${byte}: it was truncated`;

/** Called when a blob's file cannot give what it promised: once a blob, not once a read. */
export type OnBlobFailure = (blob: number, problem: string) => void;

/** The files that hold the data of one image, for one thread. */
export class BlobFiles {
  private readonly files: readonly BlobFile[];
  private readonly onFailure: OnBlobFailure;
  private readonly failed: Uint8Array;
  private readonly open: OpenFiles;
  /** Of those files that are held to a hash tree. */
  private readonly checked: readonly (CheckedReader | undefined)[];

  /**
   * @param failed a byte a file, 1 once its failure was reported: shared memory, when several threads read the same files
   * @param open where those without a descriptor are opened
   * @param onCorrupt told of blocks that are not what a hash tree says
   */
  constructor(
    files: readonly BlobFile[],
    onFailure: OnBlobFailure,
    failed: Uint8Array = new Uint8Array(files.length),
    open: OpenFiles = new OpenFiles(),
    onCorrupt?: OnCorrupt,
  ) {
    this.files = files;
    this.checked = files.map(({ verity }) => verity && new CheckedReader(verity, onCorrupt));
    this.onFailure = onFailure;
    this.failed = failed;
    this.open = open;
  }

  /**
   * Reads into `out[at…]`.
   *
   * @param address byte of the file, below what it was long at opening
   * @returns `length`, or -EIO when the file has become shorter, was replaced, cannot be read, or is not what its hash tree says
   */
  read(blob: number, address: number, length: number, out: Uint8Array, at: number): number {
    try {
      const fd = this.descriptor(blob);
      let done = 0;
      while (done < length) {
        const n = readSync(fd, out, at + done, length - done, address + done);
        if (n === 0) return this.fail(blob, endsBefore(address + length));
        done += n;
      }
      const checked = this.checked[blob];
      return checked === undefined || checked.check(fd, address, length, out, at) ? done : -EIO;
    } catch (error) {
      return this.fail(blob, messageOf(error));
    }
  }

  /** Has the page cache read it, while the thread does something else: as `read`, but what comes is held to no hash tree. */
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
        if (bytesRead === 0) return this.fail(blob, endsBefore(address + length));
        done += bytesRead;
      }
      return done;
    } catch (error) {
      return this.fail(blob, messageOf(error));
    }
  }

  /** Closes what was opened for these files. */
  close(): void {
    this.open.drop(this.files);
  }

  private descriptor(blob: number): number {
    const file = elementAt(this.files, blob);
    return file.fd ?? this.open.descriptor(file);
  }

  private fail(blob: number, problem: string): number {
    const { path } = elementAt(this.files, blob);
    if (Atomics.exchange(this.failed, blob, 1) === 0) this.onFailure(blob, `${path}: ${problem}`);
    return -EIO;
  }
}
