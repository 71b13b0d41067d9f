import { createHash } from "node:crypto";
import { join } from "node:path";
import { AtomicFile } from "../disk/atomic-file.ts";
import type { Layer } from "../tar/source.ts";
import type { Blob } from "./plan.ts";

export interface Storing {
  /** undefined: the sha256 of the bytes. */
  readonly id: string | undefined;
  /** One cell, told how many bytes of the layer's file are done. */
  readonly done?: Float64Array | undefined;
  /** Called whenever the file has grown, and once when it is whole. */
  readonly grown: (fd: number, size: number, isEnd: boolean) => void;
}

/**
 * Writes what comes into a directory, under its id.
 *
 * @returns id and length
 * @throws what the stream and `grown` throw; nothing is left behind then
 */
export async function storeBlob(
  { chunks, close, taken }: Extract<Layer, { kind: "stream" }>,
  dir: string,
  { id: given, done, grown }: Storing,
): Promise<Blob> {
  const hash = given === undefined ? createHash("sha256") : undefined;
  let file: AtomicFile | undefined;
  try {
    file = new AtomicFile(join(dir, "layer"));
    let size = 0;
    for await (const chunk of chunks) {
      file.append(chunk);
      hash?.update(chunk);
      size += chunk.length;
      grown(file.fd, size, false);
      if (done !== undefined) done[0] = taken();
    }
    grown(file.fd, size, true);
    const id = given ?? hash?.digest("hex") ?? "";
    await file.settled();
    file.commit(join(dir, id), given === undefined);
    return { id, size };
  } finally {
    await close();
    await file?.settled().catch(() => {}); // it was thrown already, or something else that came first
    file?.discard();
  }
}
