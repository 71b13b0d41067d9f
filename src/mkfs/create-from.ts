import { closeSync, openSync } from "node:fs";
import { syncDirectory } from "../atomic-file/replace-file.ts";
import { type LayerFile, openedFile, statsOf, wholeFile } from "../tar/layer-file.ts";
import type { BuildResult } from "./bootstrap.ts";
import { type CreateRequest, createImage, type LayerChanges, type LayerImage, readLayer } from "./create.ts";
import { createLayers } from "./create-layers.ts";
import { LayerStack } from "./merge.ts";
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
  const { chunkSize, isRepeatable } = request;
  const stack = new LayerStack(request);
  /** By their numbers, those that came before one below them. */
  const waiting = new Map<number, LayerImage | LayerChanges>();
  let next = 0;
  await createLayers(
    jobs,
    (built, i) => {
      waiting.set(i, built);
      for (let layer = waiting.get(next); layer !== undefined; layer = waiting.get(++next)) {
        waiting.delete(next);
        stack.add({ ...layer, chunkSize, isRepeatable, name: request.layers[next] });
      }
      report.ready();
    },
    readLayer,
  );
  if (request.blobDir !== undefined) syncDirectory(request.blobDir);
  return stack.finish();
}

/** Of its file; 0 for what has no length, or is not there. */
export function bytesOf(file: LayerFile): number {
  if (file.part !== undefined) return file.part.size;
  const stats = statsOf(file);
  return stats?.isFile() ? stats.size : 0;
}
