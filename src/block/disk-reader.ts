import { readSync } from "node:fs";
import { elementAt } from "../bytes/element-at.ts";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { FlatDisk } from "./flat-disk.ts";

/** A file that runs of a disk lie in. */
export interface DiskFile {
  readonly fd: number;
  /** For messages. */
  readonly name: string;
}

/** Reads a disk that is nowhere but in its parts. */
export class DiskReader {
  readonly disk: FlatDisk;
  private readonly files: readonly DiskFile[];

  /** @param files as the runs of the disk number them */
  constructor(disk: FlatDisk, files: readonly DiskFile[]) {
    this.disk = disk;
    this.files = files;
  }

  /**
   * @param at byte of the disk; up to `into.length` bytes from there lie in the disk
   * @throws OperationalError naming the file that cannot be read, or is shorter than it was
   */
  read(at: number, into: Uint8Array): void {
    for (const piece of this.disk.pieces(at, into.length)) {
      const to = piece.at - at;
      if (piece.source === undefined) into.fill(0, to, to + piece.length);
      else if ("bytes" in piece.source) into.set(piece.source.bytes, to);
      else this.readFile(piece.source.file, piece.source.from, into, to, piece.length);
    }
  }

  private readFile(file: number, from: number, into: Uint8Array, to: number, length: number): void {
    const { fd, name } = elementAt(this.files, file);
    for (let done = 0; done < length; ) {
      const n = readPart(fd, name, into, to + done, length - done, from + done);
      if (n === 0) throw becameShorter({ fd, name }, from + done);
      done += n;
    }
  }
}

function readPart(
  fd: number,
  name: string,
  into: Uint8Array,
  to: number,
  length: number,
  from: number,
): number {
  try {
    return readSync(fd, into, to, length, from);
  } catch (error) {
    throw unreadable({ fd, name }, from, error);
  }
}

/** A read of it failed. */
export const unreadable = ({ name }: DiskFile, at: number, error: unknown): OperationalError =>
  new OperationalError(`${name}: byte ${at}: ${messageOf(error)}`);

/** A read of it found its end where there was none. */
export const becameShorter = ({ name }: DiskFile, at: number): OperationalError =>
  new OperationalError(`${name}: ends at byte ${at}, it was longer when it was opened`);
