import type { Readable } from "node:stream";
import { messageOf, OperationalError } from "../bytes/errors.ts";

/** Bytes in their order, as they come. */
export interface ByteStream {
  /** To be iterated once. Each chunk is the receiver's, and none is empty. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Ends it early and waits until files are closed and processes gone; also right after its end. */
  close(): Promise<void>;
}

/** What a reader gets that waits for more when the stream is closed. */
export const closedEarly = (path: string, cause: unknown): OperationalError =>
  new OperationalError(`${path}: closed while it was read`, { cause });

/** Gives a stream up and waits until its descriptor is closed. */
async function closeReadable(readable: Readable): Promise<void> {
  if (readable.closed) return;
  const closed = new Promise((resolve) => readable.once("close", resolve));
  readable.destroy();
  await closed;
}

/**
 * Reads the beginning of a stream and puts it back.
 *
 * @param readable given away: it ends with what is returned
 * @param path used only in messages
 * @param length bytes wanted
 * @returns `head` is shorter when the stream is
 */
export async function peek(
  readable: Readable,
  path: string,
  length: number,
): Promise<{ head: Uint8Array; stream: ByteStream }> {
  const source: AsyncIterator<Uint8Array> = readable[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let isClosed = false;
  const next = async (): Promise<Uint8Array | undefined> => {
    try {
      const { value, done } = await source.next();
      return done === true ? undefined : value;
    } catch (error) {
      throw isClosed
        ? closedEarly(path, error)
        : new OperationalError(`${path}: ${messageOf(error)}`, { cause: error });
    }
  };
  for (let bytes = 0; bytes < length; ) {
    const chunk = await next();
    if (chunk === undefined) break;
    bytes += chunk.length;
    first.push(chunk);
  }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      yield* first.splice(0);
      for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
    } finally {
      await closeReadable(readable);
    }
  }
  const close = () => {
    isClosed = true;
    return closeReadable(readable);
  };
  return { head: Buffer.concat(first), stream: { chunks: chunks(), close } };
}
