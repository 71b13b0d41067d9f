import { createHash } from "node:crypto";
import { fstatSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { AtomicFile } from "../atomic-file/atomic-file.ts";
import { stopFirst } from "../atomic-file/clean-up.ts";
import type { Layer } from "../tar/source.ts";
import { startHashing } from "./hash.ts";

type Stream = Extract<Layer, { kind: "stream" }>;

/** How often a file that a program writes is looked at. */
const LOOK_MS = 10;

export interface Storing<T> {
  readonly isHashed: boolean;
  /** One cell, told how many bytes of the layer's file are done. */
  readonly done?: Float64Array | undefined;
  /** Called whenever the file has grown, with its length. */
  readonly grown?: (size: number) => void;
  /** Called when it is whole, while the rest of it is still being hashed. */
  readonly whole: (size: number) => Promise<T> | T;
}

interface Stored<T> {
  /** Empty when it was not wanted. */
  readonly sha256: string;
  /** Of `whole`. */
  readonly result: T;
}

/**
 * Writes what comes into a file, which is whole then, but has no name yet. Where a program decompresses, it writes
 * the file itself, and others look on: three times as fast as handing every byte through here (measured).
 *
 * @throws what the stream, `grown` and the disk throw; nobody uses the descriptor any more then
 */
export async function storeStream<T>(
  stream: Stream,
  file: AtomicFile,
  storing: Storing<T>,
): Promise<Stored<T>> {
  const mayLeave = stopFirst(stream.close);
  try {
    const stored = await (stream.into === undefined
      ? storeChunks(stream, file, storing)
      : lookOn(stream, stream.into(file.fd), file, storing));
    await file.settled();
    return stored;
  } finally {
    mayLeave();
    await stream.close();
    await file.settled().catch(() => {}); // it was thrown already, or something else that came first
  }
}

async function storeChunks<T>(
  { chunks, taken }: Stream,
  file: AtomicFile,
  { isHashed, done, grown, whole }: Storing<T>,
): Promise<Stored<T>> {
  const hash = isHashed ? createHash("sha256") : undefined;
  let size = 0;
  for await (const chunk of chunks) {
    file.write(chunk);
    hash?.update(chunk);
    size += chunk.length;
    file.flushBehind(size);
    grown?.(size);
    if (done !== undefined) done[0] = taken();
  }
  const result = await whole(size);
  return { sha256: hash?.digest("hex") ?? "", result };
}

async function lookOn<T>(
  { taken, close }: Stream,
  written: Promise<void>,
  file: AtomicFile,
  { isHashed, done, grown, whole }: Storing<T>,
): Promise<Stored<T>> {
  const hashing = isHashed ? startHashing(file.fd, 0) : undefined;
  let isOver = false;
  const over = written
    .catch((error) => {
      file.probeSpace();
      throw error;
    })
    .finally(() => {
      isOver = true;
    });
  over.catch(() => {}); // thrown below
  let size = 0;
  try {
    while (!isOver) {
      await Promise.race([over, setTimeout(LOOK_MS)]);
      size = fstatSync(file.fd).size;
      hashing?.grow(size);
      file.flushBehind(size);
      grown?.(size);
      if (done !== undefined) done[0] = taken();
    }
    await over;
    const digest = hashing?.digest(size);
    const result = await whole(size);
    return { sha256: (await digest) ?? "", result };
  } finally {
    await close(); // the program first: it may still write
    await hashing?.stop();
  }
}
