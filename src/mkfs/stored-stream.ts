import { createHash } from "node:crypto";
import { fstatSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { AtomicFile } from "../atomic-file/atomic-file.ts";
import { stopFirst } from "../atomic-file/clean-up.ts";
import type { Layer } from "../tar/source.ts";
import { OperationalError } from "../bytes/errors.ts";
import { Hashing } from "./hash.ts";

export type Stream = Extract<Layer, { kind: "stream" }>;

/** How often a file that a program writes is looked at. */
const LOOK_MS = 10;

/** What becomes of a stream. */
export interface StoredAs {
  /** Of what is read, for messages. */
  readonly name: string;
  readonly isHashed: boolean;
  /** One cell, told how many bytes of the layer's file are done. */
  readonly done: Float64Array | undefined;
  /** Bytes that it may become. */
  readonly maxSize: number | undefined;
}

/**
 * A stream that is written into a file, which has no name yet. Where a program decompresses, it writes the file itself,
 * and this process looks on: three times as fast as handing every byte through here (measured).
 */
export class StoredStream {
  private readonly stream: Stream;
  private readonly file: AtomicFile;
  private readonly as: StoredAs;
  private readonly mayLeave: () => void;
  /** Beside a program. */
  private hashing: Hashing | undefined;
  private digest: Promise<string> | string = "";

  constructor(stream: Stream, file: AtomicFile, as: StoredAs) {
    this.stream = stream;
    this.file = file;
    this.as = as;
    this.mayLeave = stopFirst(stream.close);
  }

  /**
   * Waits until all of it is written; the end of it may still have to be hashed.
   *
   * @param grown called whenever the file has grown, with its length
   * @returns bytes
   * @throws OperationalError when it is more than may be; what the stream, `grown` and the disk throw
   */
  async whole(grown: (size: number) => void = () => {}): Promise<number> {
    const written = this.stream.into?.(this.file.fd);
    return written === undefined ? this.writeChunks(grown) : this.lookOn(written, grown);
  }

  /** @returns the sha256, empty when none is wanted; nothing but `close` uses the descriptor from then on */
  async sha256(): Promise<string> {
    const digest = await this.digest;
    await this.file.flushed();
    return digest;
  }

  /** Ends what still runs: to be called in any case. */
  async close(): Promise<void> {
    this.mayLeave();
    await this.stream.close(); // the program first: it may still write
    await this.hashing?.stop();
    await this.file.flushed().catch(() => {}); // it was thrown already, or something else that came first
  }

  private async writeChunks(grown: (size: number) => void): Promise<number> {
    const hash = this.as.isHashed ? createHash("sha256") : undefined;
    let size = 0;
    for await (const chunk of this.stream.chunks) {
      this.mustTake(size + chunk.length);
      this.file.write(chunk);
      hash?.update(chunk);
      size += chunk.length;
      this.tell(size, grown);
    }
    this.digest = hash?.digest("hex") ?? "";
    return size;
  }

  private async lookOn(written: Promise<void>, grown: (size: number) => void): Promise<number> {
    if (this.as.isHashed) this.hashing = new Hashing(this.file.fd, 0);
    let isOver = false;
    const over = written
      .catch((error) => {
        this.file.probeSpace();
        throw error;
      })
      .finally(() => {
        isOver = true;
      });
    over.catch(() => {}); // thrown below
    let size = 0;
    while (!isOver) {
      await Promise.race([over, setTimeout(LOOK_MS)]);
      size = fstatSync(this.file.fd).size;
      this.mustTake(size);
      this.hashing?.grow(size);
      this.tell(size, grown);
    }
    await over;
    this.digest = this.hashing?.digest(size) ?? "";
    return size;
  }

  private tell(size: number, grown: (size: number) => void): void {
    this.file.flushBehind(size);
    grown(size);
    const { done } = this.as;
    if (done !== undefined) done[0] = this.stream.taken();
  }

  private mustTake(size: number): void {
    const { maxSize = Number.POSITIVE_INFINITY, name } = this.as;
    if (size > maxSize) throw new OperationalError(`${name}: more than ${maxSize} bytes (--max-layer-size)`);
  }
}
