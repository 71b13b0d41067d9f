import { rmSync } from "node:fs";
import { bytesOf } from "../mkfs/create-from.ts";
import { createLayers } from "../mkfs/create-layers.ts";
import { StartError } from "../bytes/errors.ts";
import { putContent } from "../atomic-file/replace-file.ts";
import { registerTemporary, unregisterTemporary } from "../atomic-file/clean-up.ts";
import { type Cache, type Known, UNSYNCED } from "./cache.ts";
import type { ImageLayer } from "./documents.ts";
import { type Report, sharedCell } from "./report.ts";

const CHUNK_SIZE = 0x10_0000;

export interface Means {
  readonly cache: Cache;
  readonly report: Report;
  readonly warn: (message: string) => void;
}

/**
 * Puts the bootstraps of layers into the cache, as far as they are not there.
 *
 * @returns what each layer is
 * @throws StartError when a tar is not the one that its image wants; FormatError
 */
export async function prepareLayers(layers: readonly ImageLayer[], means: Means): Promise<Known[]> {
  const { cache, report, warn } = means;
  const known = layers.map((layer) => mustBe(layer, cache.find(layer.file)));
  const missing = layers.flatMap(({ file }, i) =>
    known[i] === undefined ? [{ i, file, boot: cache.temporary(), done: sharedCell() }] : [],
  );
  if (missing.length === 0) return known as Known[];
  const jobs = missing.map(({ file, boot, done }) => ({
    bytes: bytesOf(file),
    request: {
      layer: file,
      bootstrap: boot,
      blobDir: cache.blobs,
      blobId: undefined,
      blobLink: "none" as const,
      chunkSize: CHUNK_SIZE,
      isRepeatable: false,
      ignoreZeros: false,
      prefetch: [],
      warn,
      unsynced: UNSYNCED,
      done,
    },
  }));
  for (const { boot } of missing) registerTemporary(boot);
  report.start(
    jobs.map(({ bytes }) => bytes),
    missing.map(({ done }) => done),
  );
  try {
    await createLayers(jobs, (made, k) => {
      const { i, file, boot } = missing[k];
      const found: Known = {
        id: made.id,
        kind: made.isPlain ? "plain" : "compressed",
        side: made.sideId,
        isImage: !made.hasMarkers,
      };
      mustBe(layers[i], found);
      putContent(boot, cache.layer(made.id));
      cache.remember(file, found);
      known[i] = found;
      report.ready();
    });
  } finally {
    report.stop();
    for (const { boot } of missing) {
      rmSync(boot, { force: true });
      unregisterTemporary(boot);
    }
  }
  return known as Known[];
}

function mustBe<T extends Known | undefined>({ file, diffId }: ImageLayer, found: T): T {
  if (found !== undefined && diffId !== undefined && found.id !== diffId)
    throw new StartError(
      `${file.name}: the sha256 of its tar is ${found.id}, the image's config wants ${diffId}`,
    );
  return found;
}
