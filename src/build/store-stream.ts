import { createHash } from "node:crypto";
import type { AtomicFile } from "../disk/atomic-file.ts";
import type { Layer } from "../tar/source.ts";

export interface Storing {
  readonly isHashed: boolean;
  /** One cell, told how many bytes of the layer's file are done. */
  readonly done?: Float64Array | undefined;
  /** Called whenever the file has grown, with its length. */
  readonly grown?: (size: number) => void;
}

/**
 * Writes what comes into a file, which is whole then, but has no name yet.
 *
 * @returns its length, and its sha256 if that is wanted
 * @throws what the stream, `grown` and the disk throw; nobody uses the descriptor any more then
 */
export async function storeStream(
  { chunks, close, taken }: Extract<Layer, { kind: "stream" }>,
  file: AtomicFile,
  { isHashed, done, grown }: Storing,
): Promise<{ sha256: string; size: number }> {
  const hash = isHashed ? createHash("sha256") : undefined;
  let size = 0;
  try {
    for await (const chunk of chunks) {
      file.append(chunk);
      hash?.update(chunk);
      size += chunk.length;
      grown?.(size);
      if (done !== undefined) done[0] = taken();
    }
    await file.settled();
    return { sha256: hash?.digest("hex") ?? "", size };
  } finally {
    await close();
    await file.settled().catch(() => {}); // it was thrown already, or something else that came first
  }
}
