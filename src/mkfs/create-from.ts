import { statSync } from "node:fs";
import { syncDirectory } from "../atomic-file/replace-file.ts";
import { type LayerFile, wholeFile } from "../tar/layer-file.ts";
import type { BuildResult } from "./bootstrap.ts";
import { type CreateRequest, createImage, type LayerImage } from "./create.ts";
import { createLayers } from "./create-layers.ts";
import { mergeImages } from "./merge.ts";

export interface CreateFromRequest extends Omit<CreateRequest, "layer" | "isOfImage" | "done"> {
  /** Paths, the lowest first. */
  readonly layers: readonly string[];
}

/**
 * Builds the bootstrap of a layer, or of several at once: the images of those stay in memory.
 *
 * @throws what the first layer that fails throws; nothing but tars of layers that were whole is left behind then
 */
export async function createFrom(request: CreateFromRequest): Promise<BuildResult> {
  const layers = request.layers.map((path) => wholeFile(path));
  if (layers.length === 1) return createImage({ ...request, layer: layers[0] });
  const jobs = layers.map((layer) => ({
    request: { ...request, layer, blobId: undefined, prefetch: [] },
    bytes: bytesOf(layer),
  }));
  const built: LayerImage[] = [];
  await createLayers(jobs, (one, i) => {
    built[i] = one;
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
