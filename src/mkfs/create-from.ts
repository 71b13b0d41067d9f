import { statSync } from "node:fs";
import { syncDirectory } from "../atomic-file/replace-file.ts";
import { type LayerFile, wholeFile } from "../tar/layer-file.ts";
import type { BuildResult } from "./bootstrap.ts";
import { type CreateRequest, createImage, type LayerImage } from "./create.ts";
import { createLayers } from "./create-layers.ts";
import { mergeImages } from "./merge.ts";
import { type Report, sharedCell } from "./report.ts";

export interface CreateFromRequest extends Omit<CreateRequest, "layer" | "isOfImage" | "done"> {
  /** Paths, the lowest first. */
  readonly layers: readonly string[];
  readonly report: Report;
}

/**
 * Builds the bootstrap of a layer, or of several at once: the images of those stay in memory.
 *
 * @throws what the first layer that fails throws; nothing but tars of layers that were whole is left behind then
 */
export async function createFrom({ report, ...request }: CreateFromRequest): Promise<BuildResult> {
  const layers = request.layers.map((path) => wholeFile(path));
  const cells = layers.map(sharedCell);
  const bytes = layers.map(bytesOf);
  report.start("layers", bytes, cells);
  try {
    const [layer] = layers;
    if (layer !== undefined && layers.length === 1)
      return await createImage({ ...request, layer, done: cells[0] });
    return await createSeveral(
      request,
      layers,
      (one) => ({ bytes: bytes[one] ?? 0, done: cells[one] }),
      report,
    );
  } finally {
    report.stop();
  }
}

async function createSeveral(
  request: Omit<CreateFromRequest, "report">,
  layers: readonly LayerFile[],
  progressOf: (layer: number) => { bytes: number; done: Float64Array | undefined },
  report: Report,
): Promise<BuildResult> {
  const jobs = layers.map((layer, i) => {
    const { bytes, done } = progressOf(i);
    return { request: { ...request, layer, blobId: undefined, prefetch: [], done }, bytes };
  });
  const built: LayerImage[] = [];
  await createLayers(jobs, (one, i) => {
    built[i] = one;
    report.ready();
  });
  if (request.blobDir !== undefined) syncDirectory(request.blobDir);
  return mergeImages({
    ...request,
    layers: built.map(({ image }, i) => ({ name: request.layers[i], image })),
  });
}

/** Of its file; 0 for what has no length, or is not there. */
export function bytesOf({ path, part }: LayerFile): number {
  if (part !== undefined) return part.size;
  const stats = path === "-" ? undefined : statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() ? stats.size : 0;
}
