import { messageOf, OperationalError } from "../bytes/errors.ts";
import type { Containerd } from "../containerd/client.ts";
import { refuse } from "../containerd/refusal.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import type { LayerSource, StoredLayer } from "../layer-store/stored-layer.ts";
import type { Logger } from "../log/log.ts";
import type { ContentPlace } from "./content-place.ts";
import { type LayerBlob, namespaceOf, type SnapshotRecord } from "./record.ts";

/** It is a part of a path. @see https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests */
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

/** Layers on their way from containerd's blobs to the store. */
export class LayerIntake {
  private readonly store: LayerStore;
  private readonly containerd: Containerd;
  private readonly content: ContentPlace;
  private readonly log: Logger;

  constructor(store: LayerStore, containerd: Containerd, content: ContentPlace, log: Logger) {
    this.store = store;
    this.containerd = containerd;
    this.content = content;
    this.log = log;
  }

  inStore = (diffId: string): StoredLayer | undefined => this.store.get(diffId);

  /** @param key of a snapshot that the layer is for: the blob is in its namespace */
  async take(blob: LayerBlob, key: string, signal: AbortSignal): Promise<StoredLayer> {
    return this.store.convert(await this.sourceOf(blob, key, signal), signal);
  }

  /**
   * Makes layers again that are in the store no more, or not as they were.
   *
   * @throws OperationalError with the cure where containerd has not got the blob any more either
   */
  async restoreLost(records: readonly SnapshotRecord[]): Promise<void> {
    for (const { key, layer, blob } of records)
      if (layer !== undefined && this.store.get(layer) === undefined) await this.restore(layer, blob, key);
  }

  private async restore(layer: string, blob: LayerBlob | undefined, key: string): Promise<void> {
    try {
      if (blob === undefined) throw new Error("its blob is not known");
      this.log.warn(`layer ${layer} is lost: made again of blob ${blob.digest}`);
      const { diffId } = await this.take(blob, key, AbortSignal.any([]));
      if (diffId !== layer) throw new Error(`blob ${blob.digest} holds ${diffId}`);
    } catch (error) {
      const cure = "remove the image and pull it again";
      throw new OperationalError(`layer ${layer} of snapshot ${key} is lost: ${messageOf(error)}: ${cure}`);
    }
  }

  private async sourceOf(blob: LayerBlob, key: string, signal: AbortSignal): Promise<LayerSource> {
    if (!DIGEST.test(blob.digest)) throw refuse("invalid argument", `${blob.digest}: no digest`);
    const file = await this.content.fileOf(blob.digest, signal);
    if (file !== undefined) return { ...blob, file };
    return { ...blob, stream: (stop) => this.containerd.read(blob.digest, namespaceOf(key), stop) };
  }
}
