import { LayerStore } from "../layer-store/layer-store.ts";
import { partsOf, type ExportMode } from "./export-mode.ts";
import type { DiskTree } from "./disk-tree.ts";
import type { ExportedDisks } from "./exported-disks.ts";
import { kataVolume } from "./kata-volume.ts";
import type { LayerIntake } from "./layer-intake.ts";
import type { SnapshotRecord } from "./record.ts";

/** nydus-snapshotter's, on the snapshots of layers. Anybody may have written there, the author of an image too: nothing is read from it. */
const LABEL = {
  layer: "containerd.io/snapshot/nydus-layer-block",
  image: "containerd.io/snapshot/nydus-image-block",
} as const;

/** Disks below a container, and what is to be said of them on the snapshots that they are of. */
export interface BelowVm {
  /** Mount options, one a disk. */
  readonly volumes: readonly string[];
  readonly labels: readonly {
    /** Of the snapshot. */
    readonly key: string;
    readonly label: string;
    readonly value: string;
  }[];
}

/** Images as disks, for containers in virtual machines, which mount them themselves. */
export class VmDisks {
  private readonly disks: ExportedDisks;
  private readonly mode: ReturnType<typeof partsOf>;
  private readonly store: LayerStore;
  private readonly intake: LayerIntake;

  constructor(mode: ExportMode, disks: ExportedDisks, store: LayerStore, intake: LayerIntake) {
    this.mode = partsOf(mode);
    this.disks = disks;
    this.store = store;
    this.intake = intake;
  }

  /**
   * @param chain snapshots from the top down, all of them layers of the store
   * @throws OperationalError
   */
  async below(chain: readonly SnapshotRecord[]): Promise<BelowVm> {
    const { of, hasVerity } = this.mode;
    const label = LABEL[of];
    const records = of === "layer" ? chain : chain.slice(0, 1);
    const diffIds = chain.flatMap(({ layer }) => layer ?? []).toReversed();
    const [volumes, labels]: [string[], BelowVm["labels"][number][]] = [[], []];
    for (const record of records) {
      const name = of === "image" ? this.imageName(diffIds) : this.layerName(record.layer ?? "");
      const disk = await this.disks.disk(name, hasVerity, async () => {
        await this.intake.restoreLost(chain);
        return this.sourceOf(record, diffIds);
      });
      // A guest that is told of no hashes would take any bytes.
      if (hasVerity && disk.tree === undefined) throw new Error(`${disk.path}: made without hashes`);
      volumes.push(kataVolume(of, disk));
      const value = labelOf(disk.tree);
      if (record.labels[label] !== value) labels.push({ key: record.key, label, value });
    }
    return { volumes, labels };
  }

  /** Names of disks that a snapshot needs. */
  namesOf = (diffIds: readonly string[]): string[] =>
    diffIds.length === 0
      ? []
      : this.mode.of === "image"
        ? [this.imageName(diffIds)]
        : diffIds.map((diffId) => this.layerName(diffId));

  private imageName = (diffIds: readonly string[]): string => `${LayerStore.keyOf(diffIds)}.${this.suffix}`;

  private layerName = (diffId: string): string => `${diffId.replace(/^sha256:/, "")}.${this.suffix}`;

  /** Another mode finds no disk of this one. */
  private get suffix(): string {
    return `${this.mode.of}${this.mode.hasVerity ? ".verity" : ""}.disk`;
  }

  private async sourceOf({ layer }: SnapshotRecord, diffIds: readonly string[]) {
    const { blobDir } = this.store;
    const made =
      this.mode.of === "image"
        ? await this.store.merge(diffIds, AbortSignal.any([]))
        : this.store.get(layer ?? "");
    if (made === undefined) throw new Error(`layer ${layer} is not in the store`); // it was restored a moment ago
    return { bootstrap: made.bootstrap, blobDir };
  }
}

/** `data blocks,hash offset,sha256:root`; "" without a hash tree. */
const labelOf = (tree: DiskTree | undefined): string =>
  tree === undefined ? "" : `${tree.dataBlocks},${tree.hashOffset},sha256:${tree.root}`;
