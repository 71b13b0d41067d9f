import { closeSync, constants, fstatSync, realpathSync, renameSync, statSync } from "node:fs";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { openOwn } from "../safe-open/own.ts";
import { LineWriter } from "./line-writer.ts";
import { RotatedLogs } from "./rotated-logs.ts";

const { O_WRONLY, O_APPEND, O_CREAT } = constants;
/** Operators link their logs to where they want them; a link that a stranger put there is not followed. */
const openHere = (path: string): number => openOwn(path, O_WRONLY | O_APPEND | O_CREAT, 0o600);

/** Where a log of that name is: `.log` is added to one without extension, as nydusd does. */
export const logPath = (name: string): string => (/\.[^/.]+$/.test(name) ? name : `${name}.log`);

/** Opens a log to append to it. @throws OperationalError naming it */
export function openLogFile(path: string): number {
  try {
    return openHere(path);
  } catch (error) {
    throw new OperationalError(`log file ${path}: ${messageOf(error)}`);
  }
}

/**
 * A log that is appended to and put aside when it is full. Before each line it looks whether the file is still the one
 * of that name: logrotate or another daemon may have moved or emptied it.
 */
export class LogFile {
  private readonly path: string;
  private readonly limit: number;
  private say: (problem: string) => void;
  /** undefined: a pipe or a terminal, which has no size and is no file to move. */
  private readonly rotated: RotatedLogs | undefined;
  private fd: number;
  private out: LineWriter;
  private tidying: Promise<void> = Promise.resolve();
  /** The same again and again would fill the log with itself. */
  private hasComplained = false;

  /**
   * @param limit bytes that the file may have; whatever else, a line is written whole
   * @param say told what keeps it from being put aside
   * @throws OperationalError if it cannot be opened
   */
  constructor(name: string, limit: number, say: (problem: string) => void) {
    this.limit = limit;
    this.say = say;
    this.path = logPath(name);
    this.fd = openLogFile(this.path);
    try {
      if (fstatSync(this.fd).isFile()) this.rotated = new RotatedLogs(realpathSync(this.path));
    } catch (error) {
      throw new OperationalError(`log file ${this.path}: ${messageOf(error)}`);
    }
    this.out = new LineWriter(this.fd);
  }

  write(line: string): void {
    try {
      if (this.rotated !== undefined) this.makeRoom(this.rotated, Buffer.byteLength(line));
    } catch (error) {
      this.complain(error); // and go on in the file there is
    }
    this.out.write(line);
  }

  /** What is being compressed still is. */
  close(): void {
    this.say = () => {}; // there is no log any more
    closeSync(this.fd);
    void this.tidying.then(() => this.rotated?.close()); // complains of what fails
  }

  private makeRoom(rotated: RotatedLogs, bytes: number): void {
    const own = fstatSync(this.fd, { bigint: true });
    const named = statSync(rotated.current, { bigint: true, throwIfNoEntry: false });
    if (named?.ino !== own.ino || named.dev !== own.dev) this.reopen(rotated);
    else if (own.size > 0n && Number(own.size) + bytes > this.limit) this.rotate(rotated);
  }

  private reopen({ current }: RotatedLogs): void {
    const fd = openHere(current);
    closeSync(this.fd);
    this.fd = fd;
    this.out = new LineWriter(fd);
  }

  private rotate(rotated: RotatedLogs): void {
    const old = rotated.unused(new Date());
    renameSync(rotated.current, old);
    try {
      this.reopen(rotated);
    } catch (error) {
      renameSync(old, rotated.current);
      throw error;
    }
    this.tidying = this.tidying
      .then(() => rotated.tidy())
      .then(
        () => {
          this.hasComplained = false;
        },
        (error) => this.complain(error),
      );
  }

  private complain(error: unknown): void {
    if (this.hasComplained) return;
    this.hasComplained = true;
    const problem = messageOf(error);
    this.say(`log file ${this.path}: ${this.rotated?.withPaths(problem) ?? problem}`);
  }
}
