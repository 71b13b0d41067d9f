import { closeSync, constants, fstatSync, ftruncateSync, rmSync, writeSync } from "node:fs";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { nodeCount } from "../erofs/image.ts";
import { openOwn } from "../safe-open/own.ts";
import { metadataOf, type OpenedImage } from "../fs/open-image.ts";
import { PathTable } from "../fs/path-table.ts";
import type { Logger } from "../log/log.ts";
import { FirstReads } from "../trace/first-reads.ts";
import { HEADER, lineOf } from "../trace/format.ts";
import { newReadLog, ReadLog } from "../trace/read-log.ts";

const PERIOD_MS = 1_000;

/** Writes down what is read first of one image: threads log reads, this one takes them, names them and writes. */
export class Tracing {
  /** A log a slot, see session/worker-pool. */
  readonly logs: readonly SharedArrayBuffer[];
  private readonly file: string;
  private readonly log: Logger;
  private readonly fd: number;
  private readonly first = new FirstReads();
  private readonly startedAt = performance.timeOrigin + performance.now();
  private image: OpenedImage | undefined;
  private timer: NodeJS.Timeout | undefined;
  private paths: PathTable | undefined;
  private isBroken = false;

  /** @throws OperationalError when the file cannot be made */
  constructor(file: string, slots: number, log: Logger) {
    this.file = file;
    this.log = log;
    this.logs = Array.from({ length: slots }, () => newReadLog());
    let fd: number | undefined;
    try {
      fd = openOwn(file, constants.O_WRONLY | constants.O_CREAT, 0o600);
      if (fstatSync(fd).isFile()) ftruncateSync(fd); // now that it is known to be ours
      writeSync(fd, HEADER);
      this.fd = fd;
    } catch (error) {
      if (fd !== undefined && fstatSync(fd).isFile()) rmSync(file, { force: true });
      throw new OperationalError(`trace ${file}: ${messageOf(error)}`);
    }
  }

  /** Requests are answered: what is logged from now on is of this image. */
  begin(image: OpenedImage): void {
    this.image = image;
    this.timer = setInterval(() => this.drain(image), PERIOD_MS).unref();
  }

  /** The session has ended: the trace is complete. */
  end(): void {
    clearInterval(this.timer);
    if (this.image !== undefined) this.drain(this.image);
    closeSync(this.fd);
    this.report();
  }

  private drain(image: OpenedImage): void {
    const reads = this.logs.flatMap((log) => new ReadLog(log).take()).sort((a, b) => a.at - b.at);
    const lines: Buffer[] = [];
    for (const read of reads) {
      if (!this.first.isFirst(read)) continue;
      this.paths ??= new PathTable(metadataOf(image), nodeCount(image.handle));
      const path = this.paths.pathOf(read.node);
      const seconds = Math.max(0, read.at - this.startedAt) / 1000;
      if (path !== undefined) lines.push(lineOf({ ...read, path, seconds }));
    }
    if (lines.length > 0 && !this.isBroken) this.write(Buffer.concat(lines));
  }

  private write(text: Buffer): void {
    try {
      for (let at = 0; at < text.length; ) at += writeSync(this.fd, text, at);
    } catch (error) {
      this.isBroken = true; // half a line may be there, so nothing may follow it
      this.log.error(`trace ${this.file}: ${messageOf(error)}: the trace ends here`);
    }
  }

  private report(): void {
    const { pieces, files } = this.first;
    const dropped = this.logs.reduce((sum, log) => sum + new ReadLog(log).dropped, this.first.dropped);
    this.log.info(`trace ${this.file}: ${pieces} first reads of ${files} files`);
    if (dropped > 0)
      this.log.warn(
        `trace ${this.file}: ${dropped} reads are missing in it: they came too fast, or after its end`,
      );
  }
}
