import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { layerTar } from "../src/block/layer-tar.ts";
import { createFrom } from "../src/mkfs/create-from.ts";
import { warn } from "./help.ts";
import { progress } from "./progress.ts";

/** What `create` takes when nobody says. */
const CHUNK_SIZE = 0x10_0000;

/**
 * Builds the image of one layer, which is there while `use` runs.
 *
 * @throws as `createFrom`, and what `use` throws
 */
export async function withLayerImage<T>(
  { id, path }: ReturnType<typeof layerTar>,
  use: (bootstrap: string) => Promise<T>,
): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-"));
  try {
    const bootstrap = join(dir, "layer.boot");
    await createFrom({
      ...{ layers: [path], bootstrap, blobDir: undefined, blobId: id || undefined, blobLink: "none" },
      ...{ chunkSize: CHUNK_SIZE, isRepeatable: false, ignoreZeros: false, prefetch: [] },
      ...{ whiteouts: "oci", strictXattrs: false, warn, report: progress(process.stderr.isTTY) },
    });
    return await use(bootstrap);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
