import { readSync } from "node:fs";
import { FormatError } from "../bytes/errors.ts";
import type { TarBytes } from "./reader.ts";

/** Bytes of one read: the least after a jump, twice as much each time the next one is near, and the most. */
const LEAST = 4 << 10;
const MOST = 64 << 10;

/**
 * The bytes of a tar in a file, through a window that follows the reader.
 *
 * Small files in a row cost one read for all that the window covers. Behind large ones only the least is read,
 * so their data are not. The file may grow at its end meanwhile; what was there may not change.
 */
export class FileBytes implements TarBytes {
  private readonly fd: number;
  private readonly file: string;
  private readonly base: number;
  /** As long as the longest step so far: many tars have a few kilobytes. */
  private buffer = new Uint8Array(0);
  /** The window: `[start, end)` of the file is in the buffer. */
  private start = 0;
  private end = 0;
  private step = LEAST;

  /**
   * @param fd stays the caller's; its position is neither used nor changed
   * @param file path, used only in messages
   * @param base where in the file the tar begins
   */
  constructor(fd: number, file: string, base = 0) {
    this.fd = fd;
    this.file = file;
    this.base = base;
  }

  /** @throws FormatError if the file ends before the last of these bytes */
  view(at: number, length: number): Uint8Array {
    if (at < this.start || at + length > this.end) this.fill(at, length);
    return this.buffer.subarray(at - this.start, at - this.start + length);
  }

  private fill(at: number, length: number): void {
    const isNear = at >= this.start && at <= this.end + this.step;
    this.step = isNear ? Math.min(2 * this.step, MOST) : LEAST;
    const room = Math.max(this.step, length);
    // What a long extension took is given back.
    if (room > this.buffer.length || (room <= MOST && this.buffer.length > MOST))
      this.buffer = new Uint8Array(room);
    this.start = at;
    this.end = at;
    while (this.end < at + length) {
      const n = readSync(this.fd, this.buffer, this.end - at, room - (this.end - at), this.base + this.end);
      if (n === 0)
        throw new FormatError("the tar became shorter while it was read", { file: this.file, at: this.end });
      this.end += n;
    }
  }
}
