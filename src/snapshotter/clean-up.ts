import type { Garbage } from "../containerd/gen/administration_pb.ts";
import { LayerStore } from "../layer-store/layer-store.ts";
import type { StoredLayer } from "../layer-store/stored-layer.ts";
import type { Plain } from "./contents.ts";
import type { Differ } from "./differ.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Tally } from "./tally.ts";

/**
 * Removes what no snapshot needs any more: directories, mounts, merged images, layers. Layers stay while others are being
 * laid into snapshots: one that was just converted is no snapshot's yet.
 */
export class CleanUp {
  private readonly snapshots: Snapshots;
  private readonly differ: Differ;
  private readonly store: LayerStore;
  private readonly tally: Tally;
  private underWay: Promise<void> | undefined;
  private isAskedAgain = false;

  constructor(snapshots: Snapshots, differ: Differ, store: LayerStore, tally: Tally) {
    this.snapshots = snapshots;
    this.differ = differ;
    this.store = store;
    this.tally = tally;
  }

  /** Resolves when all is gone that was not needed when it was called. */
  async run(): Promise<void> {
    this.isAskedAgain = true;
    this.underWay ??= this.repeat().finally(() => {
      this.underWay = undefined;
    });
    await this.underWay;
  }

  /** What would go now. */
  async garbage(): Promise<Plain<Garbage>[]> {
    const { mounted, merged } = await this.snapshots.stacks.images.others(this.hasImage);
    const sizeOf = ({ tarBytes, bootstrapBytes, side }: StoredLayer) =>
      tarBytes + bootstrapBytes + (side?.bytes ?? 0);
    return [
      ...(await this.snapshots.strays()).map((id) => ({ kind: "directory", name: `${id}`, bytes: 0 })),
      ...mounted.map((name) => ({ kind: "mount", name, bytes: 0 })),
      ...merged.map((name) => ({
        ...{ kind: "image", name },
        bytes: this.store.mergedOf(name)?.bootstrapBytes ?? 0,
      })),
      ...this.unneeded().map((layer) => ({ kind: "layer", name: layer.diffId, bytes: sizeOf(layer) })),
    ];
  }

  private async repeat(): Promise<void> {
    while (this.isAskedAgain) {
      this.isAskedAgain = false;
      await this.tally.timed("clean-up", () => this.once());
    }
  }

  private async once(): Promise<void> {
    await this.snapshots.removeStrays();
    this.tally.freedBytes += await this.snapshots.stacks.images.removeOthers(this.hasImage);
    for (const { diffId } of this.unneeded())
      this.tally.freedBytes += await this.store.remove("layer", diffId, () => this.isNeeded(diffId));
  }

  private unneeded = (): StoredLayer[] =>
    [...this.store.all()].filter(({ diffId }) => !this.isNeeded(diffId));

  private isNeeded = (diffId: string): boolean => this.differ.isBusy || this.hasLayer(diffId);

  private hasImage = (key: string): boolean => this.keys().has(key);

  /** Of images that snapshots lie on, or are. */
  private keys(): Set<string> {
    const keys = new Set<string>();
    for (const { key } of this.snapshots.records.all()) {
      const { image } = this.snapshots.stacks.chainOf(key);
      if (image.length > 0) keys.add(LayerStore.keyOf(image));
    }
    return keys;
  }

  private hasLayer(diffId: string): boolean {
    for (const { layer } of this.snapshots.records.all()) if (layer === diffId) return true;
    return false;
  }
}
