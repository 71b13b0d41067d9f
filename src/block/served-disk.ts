import { createHash } from "node:crypto";
import { read as fsRead } from "node:fs";
import { promisify } from "node:util";
import { elementAt } from "../bytes/element-at.ts";
import { alignUp } from "../bytes/u64.ts";
import { readCached } from "../syscalls/cached-read.ts";
import { becameShorter, type DiskFile, unreadable } from "./disk-reader.ts";
import type { DiskPiece, FlatDisk } from "./flat-disk.ts";

const readLater = promisify(fsRead);
/** Clients that think in larger blocks than 512 lose the end of a disk that is no multiple of theirs. */
const END = 4096;

/** Data, or zeros, of a disk. */
export interface DiskExtent {
  readonly at: number;
  readonly length: number;
  readonly isHole: boolean;
}

/**
 * A disk that many read at a time from one thread, none of whom may wait for another one's disk: what the page cache has is
 * read at once, the rest by Node's threads.
 */
export class ServedDisk {
  readonly size: number;
  private readonly disk: FlatDisk;
  private readonly files: readonly DiskFile[];

  /** @param files as the runs of the disk number them */
  constructor(disk: FlatDisk, files: readonly DiskFile[]) {
    this.size = alignUp(disk.size, END);
    this.disk = disk;
    this.files = files;
  }

  /** What tells it from other disks, and is the same in every process: a digest of its metadata, and of where all the rest lies. */
  digest(): string {
    const hash = createHash("sha256").update(`${this.size}`);
    for (const { at, length, source } of this.disk.runs)
      if ("bytes" in source) hash.update(source.bytes);
      else hash.update(` ${at} ${length} ${source.file} ${source.from}`);
    return hash.digest("hex");
  }

  /**
   * Where a range has data, and where whole blocks are zeros: what lies between small files is no hole to anybody.
   *
   * @param most pieces that are looked at: it may end before the range does
   */
  *extents(at: number, length: number, most = Number.POSITIVE_INFINITY): Generator<DiskExtent> {
    const last = Math.min(at + length, this.size);
    let from = at;
    let end = at;
    let looked = 0;
    for (const piece of this.pieces(at, length)) {
      if (looked++ === most) break;
      end = piece.at + piece.length;
      if (piece.source !== undefined) continue;
      const begin = piece.at === at ? at : alignUp(piece.at, END);
      const stop = end === last ? end : end - (end % END);
      if (begin >= stop) continue;
      if (begin > from) yield { at: from, length: begin - from, isHole: false };
      yield { at: begin, length: stop - begin, isHole: true };
      from = stop;
    }
    if (from < end) yield { at: from, length: end - from, isHole: false };
  }

  /** What a range is made of, the zeros behind the end of the disk included. */
  private *pieces(at: number, length: number): Generator<DiskPiece> {
    yield* this.disk.pieces(at, length);
    const end = Math.min(at + length, this.size);
    const from = Math.max(at, this.disk.size);
    if (from < end) yield { at: from, length: end - from };
  }

  /**
   * @param at `[at, at + into.length)` lies in the disk
   * @returns nothing when it is done
   * @throws OperationalError naming the file that cannot be read, or is shorter than it was; also later
   */
  read(at: number, into: Uint8Array): Promise<void> | undefined {
    const run = this.disk.runOver(at, into.length);
    if (run !== undefined && "file" in run.source) {
      const { file, from } = run.source;
      return this.readFile(elementAt(this.files, file), from + at - run.at, into);
    }
    let waits: Promise<void>[] | undefined;
    for (const { at: from, length, source } of this.pieces(at, into.length)) {
      const part = into.subarray(from - at, from - at + length);
      if (source === undefined) part.fill(0);
      else if ("bytes" in source) part.set(source.bytes);
      else {
        const wait = this.readFile(elementAt(this.files, source.file), source.from, part);
        if (wait !== undefined) {
          waits ??= [];
          waits.push(wait);
        }
      }
    }
    return waits && all(waits);
  }

  private readFile(file: DiskFile, from: number, into: Uint8Array): Promise<void> | undefined {
    let n: number;
    try {
      n = readCached(file.fd, into, from);
    } catch (error) {
      throw unreadable(file, from, error);
    }
    if (n === into.length) return undefined;
    if (n === 0) throw becameShorter(file, from);
    return waitFor(file, from, into, Math.max(0, n));
  }
}

async function waitFor(file: DiskFile, from: number, into: Uint8Array, had: number): Promise<void> {
  for (let done = had; done < into.length; ) {
    const at = from + done;
    const { bytesRead } = await readLater(file.fd, into, done, into.length - done, at).catch((error) => {
      throw unreadable(file, at, error);
    });
    if (bytesRead === 0) throw becameShorter(file, at);
    done += bytesRead;
  }
}

async function all(waits: readonly Promise<void>[]): Promise<void> {
  await Promise.all(waits);
}
