import { OperationalError } from "../bytes/errors.ts";
import { diffOfId, idOfDiff, type StorePlaces } from "./store-places.ts";
import type { Merged, StoredLayer, StoreUsage } from "./stored-layer.ts";
import type { FoundLayer, FoundMerged, LayerFacts, MergeDone } from "./tasks.ts";

/** What is in a store: whatever is known here is whole and on disk. */
export class StoreContents {
  readonly layers = new Map<string, StoredLayer>();
  readonly merged = new Map<string, Merged>();
  readonly places: StorePlaces;
  /** By diffID, work that needs it. */
  private readonly holders = new Map<string, number>();

  constructor(places: StorePlaces) {
    this.places = places;
  }

  /** Tells of what a look at the store has found. */
  know(layers: readonly FoundLayer[], merged: readonly FoundMerged[]): void {
    for (const { bootstrap, ...facts } of layers)
      this.layers.set(diffOfId(facts.id), { ...this.storedLayer(facts), bootstrap });
    for (const { key, bootstrap, ...made } of merged)
      this.merged.set(key, { ...this.mergedImage(key, made), bootstrap });
  }

  /** @throws OperationalError when a layer is not there */
  mustHave(diffId: string): StoredLayer {
    const layer = this.layers.get(diffId);
    if (layer !== undefined) return layer;
    const what = idOfDiff(diffId) === undefined ? "no diffID" : "not there";
    throw new OperationalError(`layer store ${this.places.root}: layer ${diffId}: ${what}`);
  }

  /** Keeps layers while work needs them. */
  async holding<T>(diffIds: readonly string[], work: () => Promise<T>): Promise<T> {
    const count = (by: number) => {
      for (const id of diffIds) {
        const holders = (this.holders.get(id) ?? 0) + by;
        if (holders === 0) this.holders.delete(id);
        else this.holders.set(id, holders);
      }
    };
    count(1);
    try {
      return await work();
    } finally {
      count(-1);
    }
  }

  isHeld = (diffId: string): boolean => this.holders.has(diffId);

  usage(): StoreUsage {
    let [tars, bootstraps, merged] = [0, 0, 0];
    const sides = new Map<string, number>();
    for (const { tarBytes, bootstrapBytes, side } of this.layers.values()) {
      tars += tarBytes;
      bootstraps += bootstrapBytes;
      if (side !== undefined) sides.set(side.id, side.bytes);
    }
    for (const bytes of sides.values()) tars += bytes;
    for (const { bootstrapBytes } of this.merged.values()) merged += bootstrapBytes;
    return { tars, bootstraps, merged };
  }

  /** A layer as it lies when it was just made. */
  storedLayer({ id, tarBytes, bootstrapBytes, side }: LayerFacts): StoredLayer {
    const { places } = this;
    return {
      ...{ diffId: diffOfId(id), tarBytes, bootstrapBytes },
      ...{ tar: places.tar(id), bootstrap: places.bootstrap(id) },
      ...(side === undefined ? {} : { side: { ...side, path: places.tar(side.id) } }),
    };
  }

  /** The same of layers that were merged. */
  mergedImage(key: string, { bytes, blobs: ids }: MergeDone): Merged {
    const { places } = this;
    const blobs = ids.map((id) => ({ id, path: places.tar(id) }));
    return { key, bootstrap: places.mergedBootstrap(key), bootstrapBytes: bytes, blobs };
  }
}
