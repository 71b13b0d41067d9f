import { readSync } from "node:fs";
import type { Part } from "./layer-file.ts";
import type { TarBytes } from "./reader.ts";

/**
 * Bytes of a file that is read in one go. Of compressed ones: what starting a program costs is more than what it saves (8 ms of
 * CPU a layer, measured).
 */
export const SHORT = 256 << 10;

/** One buffer that is used again: a new one for each of hundreds of short layers takes longer than reading into it (measured). */
let spare: Uint8Array | undefined;

/** All bytes of something short. */
export class ShortBytes implements TarBytes {
  readonly bytes: Uint8Array;
  private buffer: Uint8Array | undefined;

  /** @param buffer given away, from its beginning on */
  constructor(buffer: Uint8Array, length: number) {
    this.buffer = buffer;
    this.bytes = buffer.subarray(0, length);
  }

  view(at: number, length: number): Uint8Array {
    return this.bytes.subarray(at, at + length);
  }

  /** Nobody looks at the bytes any more. */
  release(): void {
    spare = this.buffer ?? spare;
    this.buffer = undefined;
  }
}

/**
 * @param part at most `SHORT` bytes
 * @returns undefined when the file does not have so many
 */
export function readShort(fd: number, { at, size }: Part): ShortBytes | undefined {
  const buffer = spare ?? new Uint8Array(SHORT);
  spare = undefined;
  const bytes = new ShortBytes(buffer, size);
  if (readSync(fd, buffer, 0, size, at) === size) return bytes;
  bytes.release();
  return undefined;
}
