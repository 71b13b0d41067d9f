import { syncDirectory } from "../atomic-file/replace-file.ts";
import type { LayerFile } from "../tar/layer-file.ts";
import type { BuildResult } from "./bootstrap.ts";
import { type LayerChanges, type LayerImage, readLayer } from "./create.ts";
import type { CreateFromRequest } from "./create-from.ts";
import { createLayers } from "./create-layers.ts";
import { LayerStack } from "./merge.ts";
import type { Report } from "./report.ts";

/**
 * Builds the images of several layers at once, in memory, and lays them over one another as they come.
 *
 * @param progressOf how long a layer is, and where it is counted how far it is read
 * @throws what the first layer that fails throws; MergeError
 */
export async function createSeveral(
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
