import { closeSync, openSync } from "node:fs";
import { type LayerFile, openedFile, statsOf, wholeFile } from "../tar/layer-file.ts";
import type { BuildResult } from "./bootstrap.ts";
import { type CreateRequest, createImage } from "./create.ts";
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
export async function createFrom(request: CreateFromRequest): Promise<BuildResult> {
  const layers: LayerFile[] = [];
  try {
    for (const path of request.layers) layers.push(opened(path));
    return await createFromFiles(request, layers);
  } finally {
    for (const { fd } of layers) if (fd !== undefined) closeSync(fd);
  }
}

/** A regular file stays open; of anything else there is one reading. */
function opened(path: string): LayerFile {
  const file = wholeFile(path);
  return statsOf(file)?.isFile() ? openedFile(openSync(path, "r"), path, file.name) : file;
}

async function createFromFiles(
  { report, ...request }: CreateFromRequest,
  layers: readonly LayerFile[],
): Promise<BuildResult> {
  const cells = layers.map(sharedCell);
  const bytes = layers.map(bytesOf);
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
