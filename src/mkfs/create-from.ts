import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LayerFile, wholeFile } from "../tar/layer-file.ts";
import type { BuildResult } from "./bootstrap.ts";
import { type CreateRequest, createImage } from "./create.ts";
import { createLayers } from "./create-layers.ts";
import { mergeImages } from "./merge.ts";
import type { WhiteoutSpec } from "./whiteout.ts";

export interface CreateFromRequest extends Omit<CreateRequest, "layer" | "done"> {
  /** Paths, the lowest first. */
  readonly layers: readonly string[];
  readonly whiteouts: WhiteoutSpec;
}

/**
 * Builds the bootstrap of a layer, or of several at once: the bootstraps of those exist only meanwhile.
 *
 * @throws what the first layer that fails throws; nothing but tars of layers that were whole is left behind then
 */
export async function createFrom(request: CreateFromRequest): Promise<BuildResult> {
  const layers = request.layers.map(wholeFile);
  if (layers.length === 1) return createImage({ ...request, layer: layers[0] });
  const dir = mkdtempSync(join(tmpdir(), "nydus-image-ts-"));
  const paths = layers.map((_, i) => join(dir, `${i}.boot`));
  try {
    const jobs = layers.map((layer, i) => ({
      request: { ...request, layer, blobId: undefined, bootstrap: paths[i], prefetch: [] },
      bytes: bytesOf(layer),
    }));
    await createLayers(jobs, () => {});
    return mergeImages({ ...request, layers: paths });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Of its file; 0 for what has no length, or is not there. */
export function bytesOf({ path, part }: LayerFile): number {
  if (part !== undefined) return part.size;
  const stats = path === "-" ? undefined : statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() ? stats.size : 0;
}
