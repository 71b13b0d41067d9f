import { LayerStore } from "../layer-store/layer-store.ts";
import { partsOf, type ExportMode } from "./export-mode.ts";
import type { DiskTask } from "./disk-thread.ts";
import type { ExportedDisks } from "./exported-disks.ts";
import { kataVolume } from "./kata-volume.ts";
import type { LayerIntake } from "./layer-intake.ts";
import type { SnapshotRecord } from "./record.ts";

/** Of tars, as EROFS addresses them. */
const BLOCK = 512;
/** nydus-snapshotter's, on the snapshots of layers. */
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
  readonly disks: ExportedDisks;
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
    const { of } = this.mode;
    const label = LABEL[of];
    const records = of === "layer" ? chain : chain.slice(0, 1);
    const diffIds = chain.flatMap(({ layer }) => layer ?? []).toReversed();
    const [volumes, labels]: [string[], BelowVm["labels"][number][]] = [[], []];
    for (const record of records) {
      const name = of === "image" ? imageName(diffIds) : layerName(record.layer ?? "");
      const disk = await this.disks.disk(name, record.labels[label], async () => {
        await this.intake.restoreLost(chain);
        return this.sourceOf(record, diffIds);
      });
      volumes.push(kataVolume(of, disk, BLOCK));
      if (record.labels[label] !== disk.info) labels.push({ key: record.key, label, value: disk.info });
    }
    return { volumes, labels };
  }

  /** Names of disks that a snapshot needs. */
  namesOf = (diffIds: readonly string[]): string[] =>
    diffIds.length === 0 ? [] : this.mode.of === "image" ? [imageName(diffIds)] : diffIds.map(layerName);

  private async sourceOf(
    { layer }: SnapshotRecord,
    diffIds: readonly string[],
  ): Promise<Omit<DiskTask, "output">> {
    const { of, hasVerity } = this.mode;
    const { blobDir } = this.store;
    const made =
      of === "image" ? await this.store.merge(diffIds, AbortSignal.any([])) : this.store.get(layer ?? "");
    if (made === undefined) throw new Error(`layer ${layer} is not in the store`); // it was restored a moment ago
    return { bootstrap: made.bootstrap, blobDir, hasVerity };
  }
}

const imageName = (diffIds: readonly string[]): string => `${LayerStore.keyOf(diffIds)}.image.disk`;
const layerName = (diffId: string): string => `${diffId.replace(/^sha256:/, "")}.layer.disk`;
