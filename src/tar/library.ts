import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, gunzipSync } from "node:zlib";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { type ByteStream, closedEarly } from "./byte-stream.ts";

/** Decompression within this process, for machines without the programs. */
const CHUNK = 256 << 10;
/** Bytes given to fzstd at once: they can become 128 KiB each four, all of which it hands over at once. */
const STEP = 1 << 10;

export const gunzip = (input: ByteStream, path: string): ByteStream =>
  throughTransform(createGunzip({ chunkSize: CHUNK }), input, path, "gzip");

/** Most that a short layer may become in memory. */
const MAX_AT_ONCE = 16 << 20;

/** @returns the whole of a short gzip file; undefined when it is damaged or becomes long: a stream says what is wrong */
export function gunzipAtOnce(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_AT_ONCE });
  } catch {
    return undefined;
  }
}

/** Decodes all frames, but does not verify their checksums. */
export function unzstd(input: ByteStream, path: string): ByteStream {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const { Decompress } = await import("fzstd"); // only where there is no program
    const ready: Uint8Array[] = [];
    const decoder = new Decompress((chunk) => {
      if (chunk.length > 0) ready.push(chunk);
    });
    const push = (bytes: Uint8Array, isLast: boolean) => {
      try {
        decoder.push(bytes, isLast);
      } catch (error) {
        throw damaged(path, "zstd", error);
      }
      return ready.splice(0);
    };
    try {
      for await (const chunk of input.chunks)
        for (let at = 0; at < chunk.length; at += STEP) yield* push(chunk.subarray(at, at + STEP), false);
      yield* push(new Uint8Array(0), true);
    } finally {
      await input.close();
    }
  }
  return { chunks: chunks(), close: () => input.close() };
}

function throughTransform(transform: Transform, input: ByteStream, path: string, what: string): ByteStream {
  let isClosed = false;
  const close = async () => {
    isClosed = true;
    transform.destroy();
    await input.close();
  };
  async function* chunks(): AsyncGenerator<Uint8Array> {
    // Its errors are those that reading the transform throws.
    pipeline(Readable.from(input.chunks, { objectMode: false }), transform).catch(() => {});
    try {
      yield* transform as AsyncIterable<Uint8Array>;
    } catch (error) {
      if (error instanceof OperationalError) throw error;
      throw isClosed ? closedEarly(path, error) : damaged(path, what, error);
    } finally {
      await close();
    }
  }
  return { chunks: chunks(), close };
}

const damaged = (path: string, what: string, cause: unknown): OperationalError =>
  new OperationalError(`${path}: not ${what}, damaged or cut off: ${messageOf(cause)}`, { cause });
