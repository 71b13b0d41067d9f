import { availableParallelism } from "node:os";
import { join } from "node:path";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { OperationalError } from "../bytes/errors.ts";
import { bytesOf } from "../mkfs/create-from.ts";
import { mustBeOfUse } from "../mkfs/no-tar.ts";
import { StoredStream } from "../mkfs/stored-stream.ts";
import type { LayerFile } from "../tar/layer-file.ts";
import { leastSize } from "../tar/least-size.ts";
import { openLayer } from "../tar/source.ts";
import { UNSYNCED } from "./cache.ts";
import { sharedCell } from "../mkfs/report.ts";
import { type PrepareContext, remember } from "./layers.ts";

/**
 * Puts what comes compressed, or through a pipe, into the cache, decompressed: only then can be looked at what it is.
 *
 * @returns the sha256 of each, under which the cache has it
 * @throws OperationalError when one is damaged, or has no bytes; nothing is left of that one then
 */
export async function storeAll(files: readonly LayerFile[], context: PrepareContext): Promise<string[]> {
  const { cache, report } = context;
  const ids = files.map((file) => cache.find(file)?.id);
  const missing = files.flatMap((file, i) => (ids[i] === undefined ? [{ file, i, done: sharedCell() }] : []));
  if (missing.length === 0) return ids as string[];
  cache.mustTake(missing.reduce((sum, { file }) => sum + leastSize(file), 0));
  report.start(
    "sources",
    missing.map(({ file }) => bytesOf(file)),
    missing.map(({ done }) => done),
  );
  const failures: unknown[] = [];
  const queue = [...missing];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined && failures.length === 0; next = queue.shift())
      try {
        const { file, i, done } = next;
        const id = await store(file, done, context);
        remember(context, file, { id, kind: "stored" });
        ids[i] = id;
        report.ready();
      } catch (error) {
        failures.push(error);
      }
  };
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, work));
  } finally {
    report.stop();
  }
  if (failures.length > 0) throw failures[0];
  return ids as string[];
}

async function store(
  file: LayerFile,
  done: Float64Array,
  { cache, maxLayerSize: maxSize }: PrepareContext,
): Promise<string> {
  const layer = await openLayer(file);
  if (layer.kind === "plain") {
    await layer.close();
    throw new OperationalError(`${file.name}: changed while it was read`);
  }
  const out = new AtomicFile(join(cache.blobs, "source"), false);
  const stored = new StoredStream(layer, out, { name: file.name, isHashed: true, done, maxSize });
  try {
    const size = await stored.whole((soFar) => mustBeOfUse(out.fd, soFar, file.name, false));
    mustBeOfUse(out.fd, size, file.name, true);
    const sha256 = await stored.sha256();
    out.commit(join(cache.blobs, sha256 + UNSYNCED), true);
    return sha256;
  } finally {
    await stored.close();
    out.discard();
  }
}
