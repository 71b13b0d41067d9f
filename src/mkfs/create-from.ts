import { closeSync, openSync } from "node:fs";
import { type LayerFile, openedFile, statsOf, wholeFile } from "../tar/layer-file.ts";
import type { BuildResult } from "./bootstrap.ts";
import { type CreateRequest, createImage } from "./create.ts";
import { type Report, sharedCells } from "./report.ts";

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
export async function createFrom(request: CreateFromRequest): Promise<BuildResult> {
  const layers: LayerFile[] = [];
  try {
    const bytes = request.layers.map((path) => {
      const { layer, size } = opened(path);
      layers.push(layer);
      return size;
    });
    return await createFromFiles(request, layers, bytes);
  } finally {
    for (const { fd } of layers) if (fd !== undefined) closeSync(fd);
  }
}

/** A regular file stays open; of anything else there is one reading, and no length. */
function opened(path: string): { layer: LayerFile; size: number } {
  const layer = wholeFile(path);
  const stats = statsOf(layer);
  return stats?.isFile()
    ? { layer: openedFile(openSync(path, "r"), path, layer.name), size: stats.size }
    : { layer, size: 0 };
}

async function createFromFiles(
  { report, ...request }: CreateFromRequest,
  layers: readonly LayerFile[],
  bytes: readonly number[],
): Promise<BuildResult> {
  const cells = sharedCells(layers.length);
  report.start("layers", bytes, cells);
  try {
    const [layer] = layers;
    if (layer !== undefined && layers.length === 1)
      return await createImage({ ...request, layer, done: cells[0] });
    const { createSeveral } = await import("./create-several.ts"); // most images are built a layer at a time
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

/** Of its file; 0 for what has no length, or is not there. */
export function bytesOf(file: LayerFile): number {
  if (file.part !== undefined) return file.part.size;
  const stats = statsOf(file);
  return stats?.isFile() ? stats.size : 0;
}
