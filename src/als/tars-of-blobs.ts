import { createReadStream, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../bytes/errors.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import type { LayerSource, StoredLayer } from "../layer-store/stored-layer.ts";
import type { OfferedLayer } from "./layout-layers.ts";

const SHA256 = /^sha256:/;

/**
 * Which tar came of which blob, seen here: what an image says of that may be a lie, by which engines would get another layer
 * under the name of this one. A link a blob, which is there as a whole or not at all.
 */
export class TarsOfBlobs {
  private readonly dir: string;
  private readonly store: LayerStore;

  /** @param dir nobody else writes to it */
  constructor(dir: string, store: LayerStore) {
    this.dir = dir;
    this.store = store;
  }

  /** The tar of a blob, and its bootstrap. @throws as `LayerStore.convert` */
  async of(layer: OfferedLayer): Promise<StoredLayer> {
    const known = this.store.get(this.diffIdOf(layer.digest) ?? "");
    if (known !== undefined) return known;
    const made = await this.store.convert(sourceOf(layer), AbortSignal.any([]));
    const link = join(this.dir, layer.digest);
    rmSync(link, { force: true });
    symlinkSync(made.diffId, link);
    return made;
  }

  /** Takes back those of all other blobs. */
  async keepOnly(digests: ReadonlySet<string>): Promise<void> {
    for (const name of readdirSync(this.dir)) if (!digests.has(name)) rmSync(join(this.dir, name));
    const needed = new Set([...digests].map((digest) => this.diffIdOf(digest)));
    for (const { diffId } of [...this.store.all()])
      if (!needed.has(diffId)) await this.store.remove("layer", diffId);
  }

  private diffIdOf(digest: string): string | undefined {
    try {
      return readlinkSync(join(this.dir, digest));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }
}

/** Its bytes are held to the digest: of a tar in a file, because that is hashed anyway, and of what comes as a stream. */
function sourceOf({ digest, size, file, compression }: OfferedLayer): LayerSource {
  const described = { mediaType: "", digest, size };
  if (compression === undefined && SHA256.test(digest)) return { ...described, file };
  return { ...described, stream: (signal) => createReadStream(file, { signal }) };
}
