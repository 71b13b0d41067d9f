import { pack } from "tar-stream";
import type { EntryHeader } from "./entry.ts";
import { BLOCK } from "./header-block.ts";
import { encodeEntry, type EncodedEntry } from "./write-entry.ts";
import { padding, ustarHeader } from "./write-header.ts";

/** Bytes that wait to be written before more are made: tar-stream itself makes headers as fast as they are asked for. */
const MOST_WAITING = 1024 * 1024;
/** tar-stream has six octal digits for a device number; minor numbers have up to seven. */
const MOST_DEVICE = 0o777777;

/**
 * A tar written entry by entry. tar-stream makes the headers, bodies and the end; pax headers are put into its
 * stream between two entries, because it would make strings of what they hold (see write-pax.ts) and refuses a body
 * for an entry of type `pax-header`.
 */
export class TarWriter {
  private readonly pack = pack();
  private readonly done: Promise<void>;
  private failure: unknown;
  private given = 0;
  private taken = 0;
  private wake = (): void => {};

  /** @param write takes the tar's bytes, one piece after the other */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.pack.on("error", () => {}); // comes out of `done`
    this.done = this.pump(write);
    this.done.catch(() => {}); // thrown by `add` or `finish`
  }

  /**
   * Writes an entry; when this resolves, the next may come.
   *
   * @param body exactly the bytes that the header promises, in fresh arrays
   * @throws whatever `write` or `body` throws
   */
  async add(entry: EntryHeader, body: Iterable<Uint8Array>): Promise<void> {
    const { header, records } = encodeEntry(entry);
    const { type, mode, uid, gid } = header;
    const mtime = header.mtime.getTime() / 1000;
    const own = { name: header.name, mode, uid, gid, mtime };
    if (records.length > 0) {
      this.push(ustarHeader({ ...own, name: "PaxHeader", size: records.length, typeflag: "x" }));
      this.push(records);
      this.push(padding(records.length));
    }
    const { devmajor = 0, devminor = 0 } = header;
    if (devminor > MOST_DEVICE) {
      const typeflag = type === "block-device" ? "4" : "3";
      this.push(ustarHeader({ ...own, size: 0, typeflag, devmajor, devminor }));
    } else await this.throughPack(header, body);
    await this.room();
  }

  async finish(): Promise<void> {
    this.pack.finalize();
    await this.done;
  }

  /** Writes no more; resolves once `write` is not running. */
  async abort(): Promise<void> {
    this.pack.destroy(null);
    await this.done.catch(() => {});
  }

  private async throughPack(header: EncodedEntry["header"], body: Iterable<Uint8Array>): Promise<void> {
    this.given += BLOCK;
    let close: (error?: Error | null) => void = () => {};
    const closed = new Promise<void>((resolve, reject) => {
      close = (error) => (error ? reject(error) : resolve());
    });
    closed.catch(() => {}); // unless it is waited for below
    const sink = this.pack.entry(header, close);
    sink.on("error", () => {}); // comes to `closed`, too
    if (header.type === "file") {
      for (const bytes of body) {
        sink.write(bytes);
        this.given += bytes.length;
        await this.room();
      }
      this.given += padding(header.size).length;
      sink.end(null);
    }
    await closed.catch((error) => {
      throw this.failure ?? error; // tar-stream only knows that it was given up
    });
  }

  private push(bytes: Uint8Array): void {
    this.pack.push(bytes);
    this.given += bytes.length;
  }

  private async pump(write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    for await (const bytes of this.pack as AsyncIterable<Uint8Array>) {
      try {
        await write(bytes);
      } catch (error) {
        this.failure = error;
        this.wake();
        throw error;
      }
      this.taken += bytes.length;
      this.wake();
    }
  }

  private async room(): Promise<void> {
    while (this.failure === undefined && this.given - this.taken > MOST_WAITING)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    if (this.failure !== undefined) throw this.failure;
  }
}
