import { createHash } from "node:crypto";
import type { Semaphore } from "../bytes/semaphore.ts";
import type { LayerStore } from "../layer-store/layer-store.ts";
import { layerUsage } from "./layer-usage.ts";
import { namespaceOf, type SnapshotRecord } from "./record.ts";
import type { SnapshotRecords } from "./records.ts";

/** Chain id of what a layer is laid into a snapshot for: who asks for it takes "already exists" for an answer. */
const REF = "containerd.io/snapshot.ref";

type Extract = Pick<SnapshotRecord, "key" | "parent" | "labels">;

/**
 * Layers that are in the store already, found by the chain that a snapshot is to be part of: nobody says which layer it will be
 * before it has come.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/config.md (ChainID)
 */
export class KnownLayers {
  private readonly store: LayerStore;
  private readonly records: SnapshotRecords;
  /** diffIDs of layers that a snapshot is being made of. */
  private readonly claimed = new Map<string, number>();

  constructor(store: LayerStore, records: SnapshotRecords) {
    this.store = store;
    this.records = records;
  }

  /**
   * Makes a snapshot of a layer that is here, where who asks for one to lay it into takes that there is one already.
   *
   * @param changes of records, one at a time
   * @returns the chain that there is a snapshot of now, and the key of one that was made; undefined: a layer has to come
   */
  async skip(
    record: SnapshotRecord,
    changes: Semaphore,
  ): Promise<{ readonly target: string; readonly made?: string } | undefined> {
    const target = record.labels[REF];
    if (target === undefined) return undefined;
    if (this.hasSnapshot(record)) return { target };
    const layer = this.layerOf(record);
    if (layer === undefined) return undefined;
    const key = `${namespaceOf(record.key)}/${record.id}/${target}`;
    await this.claiming(layer, async () => {
      const { blob } = [...this.records.all()].find((each) => each.layer === layer && each.blob) ?? {};
      const done = {
        kind: "committed",
        key,
        layer,
        isExtract: false,
        ...layerUsage(this.store, layer),
      } as const;
      await changes.run(() => this.records.put({ ...record, ...done, ...(blob && { blob }) }));
    });
    return { target, made: key };
  }

  /** @returns its diffID */
  layerOf({ key, parent, labels }: Extract): string | undefined {
    const target = labels[REF] ?? chainIn(key, " ");
    const below = chainIn(parent, "/");
    for (const { diffId } of this.store.all()) if (chainIdOf(below, diffId) === target) return diffId;
    return undefined;
  }

  /** Keeps a layer until a snapshot has it. */
  private async claiming<T>(diffId: string, work: () => Promise<T>): Promise<T> {
    this.count(diffId, 1);
    try {
      return await work();
    } finally {
      this.count(diffId, -1);
    }
  }

  isClaimed = (diffId: string): boolean => this.claimed.has(diffId);

  /** containerd looks for one by these, in all namespaces, and takes the first. */
  private hasSnapshot({ parent, labels }: Extract): boolean {
    for (const record of this.records.all())
      if (record.kind === "committed" && record.parent === parent && record.labels[REF] === labels[REF])
        return true;
    return false;
  }

  private count(diffId: string, by: number): void {
    const claims = (this.claimed.get(diffId) ?? 0) + by;
    if (claims === 0) this.claimed.delete(diffId);
    else this.claimed.set(diffId, claims);
  }
}

/** containerd's names of layers end in their chain ids. */
const chainIn = (name: string, before: string): string => name.slice(name.lastIndexOf(before) + 1);

const chainIdOf = (below: string, diffId: string): string =>
  below === "" ? diffId : `sha256:${createHash("sha256").update(`${below} ${diffId}`).digest("hex")}`;
