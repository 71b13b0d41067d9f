import { FormatError } from "../bytes/errors.ts";
import type { TarBytes } from "./reader.ts";

/** The bytes of a tar as they come: those are kept that its reader may still ask for. */
export class WindowBytes implements TarBytes {
  private readonly file: string;
  private kept = new Uint8Array(0);
  /** Where those begin, and how many bytes have come. */
  private start = 0;
  private end = 0;
  private needed = 0;

  /** @param file used only in messages */
  constructor(file: string) {
    this.file = file;
  }

  /** @param chunk the next bytes; copied */
  add(chunk: Uint8Array): void {
    const from = Math.max(this.start, Math.min(this.needed, this.end));
    const old = this.kept.subarray(from - this.start);
    const skipped = Math.min(chunk.length, Math.max(0, this.needed - this.end));
    const kept = new Uint8Array(old.length + chunk.length - skipped);
    kept.set(old);
    kept.set(chunk.subarray(skipped), old.length);
    this.kept = kept;
    this.end += chunk.length;
    this.start = this.end - kept.length;
  }

  /** No byte below this one will be asked for. */
  forget(below: number): void {
    this.needed = below;
  }

  view(at: number, length: number): Uint8Array {
    if (at < this.start || at + length > this.end)
      throw new FormatError("the tar ends here", { file: this.file, at });
    return this.kept.subarray(at - this.start, at - this.start + length);
  }
}
