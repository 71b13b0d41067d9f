import type { Garbage } from "../containerd/gen/administration_pb.ts";
import { LayerStore } from "../layer-store/layer-store.ts";
import type { StoredLayer } from "../layer-store/stored-layer.ts";
import type { Plain } from "./contents.ts";
import type { Differ } from "./differ.ts";
import type { ExportedDisks } from "./exported-disks.ts";
import type { Snapshots } from "./snapshots.ts";
import type { Tally } from "./tally.ts";

interface Needed {
  /** Of the records. */
  readonly generation: number;
  /** Keys of images that snapshots lie on, or are. */
  readonly images: ReadonlySet<string>;
  /** diffIDs */
  readonly layers: ReadonlySet<string>;
  /** Their names. */
  readonly disks: ReadonlySet<string>;
}

/**
 * Removes what no snapshot needs any more: directories, mounts, merged images, layers. Layers stay while others are being
 * laid into snapshots: one that was just converted is no snapshot's yet.
 */
export class CleanUp {
  private readonly snapshots: Snapshots;
  private readonly differ: Differ;
  private readonly store: LayerStore;
  private readonly disks: ExportedDisks;
  private readonly tally: Tally;
  private underWay: Promise<void> | undefined;
  private isAskedAgain = false;
  private found: Needed = { generation: -1, images: new Set(), layers: new Set(), disks: new Set() };

  constructor(snapshots: Snapshots, differ: Differ, store: LayerStore, disks: ExportedDisks, tally: Tally) {
    this.snapshots = snapshots;
    this.differ = differ;
    this.store = store;
    this.disks = disks;
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
      ...(await this.disks.others(this.hasDisk)).map((disk) => ({ kind: "disk", ...disk })),
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
    this.tally.freedBytes += await this.disks.removeOthers(this.hasDisk);
    for (const { diffId } of this.unneeded())
      this.tally.freedBytes += await this.store.remove("layer", diffId, () => this.isNeeded(diffId));
    if (this.differ.isBusy) this.differ.whenIdle(() => void this.run().catch(() => {})); // whoever asks next is told
  }

  private unneeded = (): StoredLayer[] =>
    [...this.store.all()].filter(({ diffId }) => !this.isNeeded(diffId));

  private isNeeded = (diffId: string): boolean =>
    this.differ.isBusy ||
    this.needed().layers.has(diffId) ||
    this.snapshots.known?.isClaimed(diffId) === true;

  /** Without a mode of export nothing needs any. */
  private hasDisk = (name: string): boolean => this.needed().disks.has(name);

  private hasImage = (key: string): boolean => this.needed().images.has(key);

  /** What snapshots need, looked up anew after each change only: it is asked for everything that there is. */
  private needed(): Needed {
    const { generation } = this.snapshots.records;
    if (this.found.generation !== generation) this.found = { generation, ...this.lookUp() };
    return this.found;
  }

  private lookUp(): Omit<Needed, "generation"> {
    const [images, layers, disks] = [new Set<string>(), new Set<string>(), new Set<string>()];
    for (const { key, layer } of this.snapshots.records.all()) {
      if (layer !== undefined) layers.add(layer);
      const { image } = this.snapshots.stacks.chainOf(key);
      if (image.length > 0) images.add(LayerStore.keyOf(image));
      for (const name of this.snapshots.vmDisks?.namesOf(image) ?? []) disks.add(name);
    }
    return { images, layers, disks };
  }
}
