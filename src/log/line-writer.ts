import { writeSync } from "node:fs";

/** Writes lines to a descriptor. One that cannot be written (full disk, closed pipe) must not stop a file system. */
export class LineWriter {
  private readonly fd: number;
  /** A line was cut off: what comes next must not be taken for its end. */
  private isCut = false;

  constructor(fd: number) {
    this.fd = fd;
  }

  write(line: string): void {
    const bytes = Buffer.from(this.isCut ? `\n${line}` : line);
    let done = 0;
    try {
      for (let n = 1; n > 0 && done < bytes.length; done += n) n = writeSync(this.fd, bytes, done);
    } catch {} // nowhere left to say it
    if (done > 0) this.isCut = done < bytes.length;
  }

  close(): void {} // stderr stays
}
