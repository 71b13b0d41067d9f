import { elementAt } from "../bytes/element-at.ts";
import { OperationalError } from "../bytes/errors.ts";
import { bytesOf } from "../mkfs/create-from.ts";
import type { LayerImage } from "../mkfs/create.ts";
import { createLayers, type LayerJob } from "../mkfs/create-layers.ts";
import type { LayerFile } from "../tar/layer-file.ts";
import { leastSize } from "../tar/least-size.ts";
import { type Cache, type KnownFile, UNSYNCED } from "./cache.ts";
import type { ImageLayer, LayerStep } from "./documents.ts";
import { inOnePiece } from "./sparse-member.ts";
import { type Report, sharedCell } from "../mkfs/report.ts";

const CHUNK_SIZE = 0x10_0000;

/** What preparing an image works with. */
export interface PrepareContext {
  readonly cache: Cache;
  readonly report: Report;
  /** Refuse a layer with extended attributes that an image does not keep. */
  readonly strictXattrs: boolean;
  /** Bytes that a compressed layer may become. */
  readonly maxLayerSize: number | undefined;
  readonly warn: (message: string) => void;
}

/** A layer whose bootstrap is in the cache. */
export interface BuiltLayer {
  readonly file: LayerFile;
  readonly known: KnownFile;
  readonly made?: LayerStep | undefined;
}

/** One that is to be built; `known` is set when it was. */
interface MissingLayer extends ImageLayer {
  known: KnownFile | undefined;
  readonly done: Float64Array;
}

/**
 * Puts the bootstraps of layers into the cache, as far as they are not there.
 *
 * @returns all of them, in their order
 * @throws OperationalError when a tar is not the one that its image wants; FormatError
 */
export async function prepareLayers(
  layers: readonly ImageLayer[],
  context: PrepareContext,
): Promise<BuiltLayer[]> {
  const { cache, strictXattrs } = context;
  const whole = await Promise.all(
    layers.map(async ({ file, diffId, made }) => ({ file: await inOnePiece(file, context), diffId, made })),
  );
  const all = whole.map(({ file, diffId, made }): BuiltLayer | MissingLayer => {
    const found = cache.find(file);
    const known = strictXattrs && !found?.hasAllXattrs ? undefined : found;
    if (known === undefined) return { file, diffId, made, known, done: sharedCell() };
    mustBe(file, diffId, known);
    return { file, known, made };
  });
  const missing = all.filter((layer): layer is MissingLayer => layer.known === undefined);
  if (missing.length > 0) await buildLayers(missing, context);
  return all.map(({ file, known, made }) => {
    if (known === undefined) throw new Error(`${file.name}: not built`);
    return { file, known, made };
  });
}

/** Notes what a file is, unless it changed meanwhile: nobody knows then which of its bytes were read. */
export function remember({ cache, warn }: PrepareContext, file: LayerFile, known: KnownFile): void {
  if (!cache.remember(file, known))
    warn(`${file.name}: changed while it was read; what it is is not noted for the next time`);
}

async function buildLayers(missing: readonly MissingLayer[], context: PrepareContext): Promise<void> {
  const { cache, report, strictXattrs, maxLayerSize, warn } = context;
  cache.mustTake(missing.reduce((sum, { file }) => sum + leastSize(file), 0));
  const jobs = missing.map(
    ({ file, diffId, done }): LayerJob => ({
      bytes: bytesOf(file),
      request: {
        // What the cache has is named by its sha256.
        ...{ layer: file, blobId: file.part ? undefined : cache.idOf(file.path) },
        ...{ isOfImage: diffId !== undefined, blobDir: cache.blobs, blobLink: "none" },
        ...{ chunkSize: CHUNK_SIZE, isRepeatable: false, ignoreZeros: false, prefetch: [] },
        ...{ whiteouts: "oci", strictXattrs, maxLayerSize, warn },
        ...{ unsynced: UNSYNCED, done },
      },
    }),
  );
  report.start(
    "layers",
    jobs.map(({ bytes }) => bytes),
    missing.map(({ done }) => done),
  );
  try {
    const put = (made: LayerImage, i: number) => {
      const layer = elementAt(missing, i);
      const known: KnownFile = {
        id: made.id,
        kind: made.isPlain ? "plain" : "compressed",
        side: made.sideId,
        isImage: !made.hasMarkers,
        hasAllXattrs: made.hasAllXattrs,
      };
      mustBe(layer.file, layer.diffId, known);
      cache.putLayer(made.id, made.image);
      remember(context, layer.file, known);
      layer.known = known;
      report.ready();
    };
    await cache.puttingLayers(() => createLayers(jobs, put));
  } finally {
    report.stop();
  }
}

function mustBe(file: LayerFile, diffId: string | undefined, { id }: KnownFile): void {
  if (diffId !== undefined && id !== diffId)
    throw new OperationalError(
      `${file.name}: the sha256 of its tar is ${id}, the image's config wants ${diffId}`,
    );
}
