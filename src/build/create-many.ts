import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Built, type CreateRequest, createImage } from "./create.ts";
import { mergeImages } from "./merge.ts";
import type { WhiteoutSpec } from "./whiteout.ts";

export interface CreateManyRequest extends Omit<CreateRequest, "layer" | "blobId"> {
  /** The lowest first. */
  readonly layers: readonly string[];
  readonly whiteouts: WhiteoutSpec;
}

/**
 * Builds the bootstrap of several layers at once. Hashing and decompressing, which take most of the time, run side by
 * side; the bootstraps of the layers exist only meanwhile.
 *
 * @throws what the first layer that fails throws; nothing but tars of layers that were whole is left behind then
 */
export async function createMany(request: CreateManyRequest): Promise<Built> {
  const dir = mkdtempSync(join(tmpdir(), "nydus-image-ts-"));
  try {
    const jobs = request.layers.map((layer, i) =>
      createImage({ ...request, layer, blobId: undefined, bootstrap: join(dir, `${i}.boot`), prefetch: [] }),
    );
    const results = await Promise.allSettled(jobs);
    const failed = results.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    return mergeImages({ ...request, layers: request.layers.map((_, i) => join(dir, `${i}.boot`)) });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
