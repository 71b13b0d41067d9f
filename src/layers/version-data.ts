import { closeSync, openSync, readSync } from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import type { PreparedLayer } from "../source/prepare.ts";
import type { Version } from "./layered-image.ts";

const STEP = 256 << 10;

/**
 * A file's bytes as a layer has them, also when upper layers hide them.
 *
 * @param layers those that the version is of
 * @throws OperationalError when a tar ends before them; a system error
 */
export function* dataOf(layers: readonly PreparedLayer[], { pieces, size }: Version): Generator<Uint8Array> {
  let done = 0;
  for (const { offset, length, dataAt, blobId } of pieces) {
    yield* zeros(offset - done);
    yield* bytesOf(placeOf(layers, blobId), dataAt, length);
    done = offset + length;
  }
  yield* zeros(size - done);
}

/**
 * Fills a buffer with bytes of a blob of layers.
 *
 * @throws OperationalError when it is of none of them, or ends before; a system error
 */
export function readBlob(
  layers: readonly PreparedLayer[],
  blobId: string,
  at: number,
  into: Uint8Array,
): void {
  let done = 0;
  for (const chunk of bytesOf(placeOf(layers, blobId), at, into.length)) {
    into.set(chunk, done);
    done += chunk.length;
  }
}

/** A file, open or to be opened, and where in it a blob begins. */
type Place = PreparedLayer["tar"];

function placeOf(layers: readonly PreparedLayer[], blobId: string): Place {
  for (const { id, tar, side } of layers) {
    if (id === blobId) return tar;
    if (side?.id === blobId) return { path: side.path, at: 0 };
  }
  throw new OperationalError(`blob ${blobId}: of none of the layers`);
}

function* bytesOf({ path, at, fd: given }: Place, from: number, length: number): Generator<Uint8Array> {
  const fd = given ?? openSync(path, "r");
  try {
    for (let done = 0; done < length; ) {
      const buffer = Buffer.allocUnsafe(Math.min(STEP, length - done));
      const n = readSync(fd, buffer, 0, buffer.length, at + from + done);
      if (n === 0)
        throw new OperationalError(`${path}: ends at byte ${at + from + done}, before the file does`);
      yield buffer.subarray(0, n);
      done += n;
    }
  } finally {
    if (given === undefined) closeSync(fd);
  }
}

function* zeros(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= STEP) yield new Uint8Array(Math.min(STEP, left));
}
