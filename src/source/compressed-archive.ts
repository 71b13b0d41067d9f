import { join } from "node:path";
import { bytesOf } from "../mkfs/create-from.ts";
import { StoredStream } from "../mkfs/stored-stream.ts";
import { OperationalError } from "../bytes/errors.ts";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { wholeFile } from "../tar/layer-file.ts";
import { openLayer } from "../tar/source.ts";
import { Archive } from "./archive.ts";
import { UNSYNCED } from "./cache.ts";
import type { PrepareContext } from "./layers.ts";
import { sharedCell } from "./report.ts";

/**
 * The archive of images in a compressed file, decompressed once, into the cache.
 *
 * @returns path of its tar when it is no archive, whatever its beginning looked like
 * @throws OperationalError when it is damaged
 */
export async function decompressArchive(path: string, context: PrepareContext): Promise<Archive | string> {
  const { cache } = context;
  const file = wholeFile(path);
  let id = cache.find(file)?.id;
  if (id === undefined) {
    id = await decompressInto(path, context);
    cache.remember(file, { id, kind: "archive" });
  }
  return Archive.open(cache.blob(id), path) ?? cache.blob(id);
}

/** @returns the sha256 of the decompressed bytes, under which they are in the cache */
async function decompressInto(path: string, { cache, report }: PrepareContext): Promise<string> {
  const file = wholeFile(path);
  const layer = await openLayer(file);
  if (layer.kind === "plain") throw new OperationalError(`${path}: changed while it was read`);
  const done = sharedCell();
  const out = new AtomicFile(join(cache.blobs, "archive"), false);
  const stored = new StoredStream(layer, out, true, done);
  report.start([bytesOf(file)], [done]);
  try {
    await stored.whole();
    const sha256 = await stored.sha256();
    out.commit(join(cache.blobs, sha256 + UNSYNCED), true);
    report.ready();
    return sha256;
  } finally {
    report.stop();
    await stored.close();
    out.discard();
  }
}
