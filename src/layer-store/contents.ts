import { stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, OperationalError } from "../bytes/errors.ts";
import { DurableNames } from "./durable-names.ts";
import { diffOfId, idOfDiff, type StorePlaces } from "./store-places.ts";
import type { Merged, StoredLayer, StoreUsage } from "./stored-layer.ts";
import { type Converted, type MergeDone, STAGED_BOOTSTRAP } from "./tasks.ts";

/** What is in a store: whatever is known here is whole and on disk. */
export class StoreContents {
  readonly layers = new Map<string, StoredLayer>();
  readonly merged = new Map<string, Merged>();
  private readonly places: StorePlaces;
  private readonly names = new DurableNames();
  /** By diffID, work that needs it. */
  private readonly holders = new Map<string, number>();
  /** Layers whose names the disk does not have yet. */
  private readonly arriving = new Set<StoredLayer>();
  /** Names of layers are given and taken one after the other: two layers may share a side blob. */
  private naming: Promise<unknown> = Promise.resolve();

  constructor(places: StorePlaces) {
    this.places = places;
  }

  /** Tells of what a look at the store has found. */
  know(layers: readonly Converted[], merged: readonly (MergeDone & { readonly key: string })[]): void {
    for (const made of layers) this.layers.set(diffOfId(made.id), this.storedLayer(made));
    for (const { key, ...made } of merged) this.merged.set(key, this.mergedImage(key, made));
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

  /** Gives a layer that lies in a directory its names. One that is there stays: it may be mounted. */
  async add(stage: string, made: Converted): Promise<StoredLayer> {
    const layer = this.storedLayer(made);
    const { diffId, side } = layer;
    const staged = (name: string) => join(stage, name);
    return this.holding([diffId], async () => {
      const known = this.layers.get(diffId);
      if (known !== undefined) return known;
      const names: [from: string, to: string][] = [
        [staged(made.id), layer.tar],
        [staged(STAGED_BOOTSTRAP), layer.bootstrap],
      ];
      if (side !== undefined) names.push([staged(side.id), side.path]);
      this.arriving.add(layer);
      try {
        await this.inTurn(() => this.names.give(names));
        await this.names.sync(names);
      } finally {
        this.arriving.delete(layer);
      }
      this.layers.set(diffId, layer);
      return layer;
    });
  }

  /** The same of layers that were merged. */
  async addMerged(key: string, bootstrap: string, made: MergeDone): Promise<Merged> {
    const merged = this.mergedImage(key, made);
    const names = [[bootstrap, merged.bootstrap]] as const;
    await this.inTurn(() => this.names.give(names));
    await this.names.sync(names);
    this.merged.set(key, merged);
    return merged;
  }

  /**
   * @param isNeeded asked in the moment in which it would begin to go
   * @returns bytes of files that are gone; 0 when there is no such layer, or work or somebody needs it
   */
  removeLayer(diffId: string, isNeeded: () => boolean): Promise<number> {
    return this.inTurn(async () => {
      const layer = this.layers.get(diffId);
      if (layer === undefined || this.holders.has(diffId) || isNeeded()) return 0;
      this.layers.delete(diffId);
      const { side } = layer;
      const others = [...this.layers.values(), ...this.arriving];
      const isShared = others.some((other) => other.side?.id === side?.id);
      // The bootstrap first: what has one is whole.
      const paths = [layer.bootstrap, layer.tar];
      if (side !== undefined && !isShared) paths.push(side.path);
      let freed = 0;
      for (const path of paths) freed += await freedBy(path);
      return freed;
    });
  }

  removeMerged(key: string, isNeeded: () => boolean): Promise<number> {
    return this.inTurn(async () => {
      const merged = this.merged.get(key);
      if (merged === undefined || isNeeded()) return 0;
      this.merged.delete(key);
      return freedBy(merged.bootstrap);
    });
  }

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

  private storedLayer({ id, tarBytes, bootstrapBytes, side }: Converted): StoredLayer {
    const { places } = this;
    return {
      ...{ diffId: diffOfId(id), tarBytes, bootstrapBytes },
      ...{ tar: places.tar(id), bootstrap: places.bootstrap(id) },
      ...(side === undefined ? {} : { side: { ...side, path: places.tar(side.id) } }),
    };
  }

  private mergedImage(key: string, { bytes, blobs: ids }: MergeDone): Merged {
    const { places } = this;
    const blobs = ids.map((id) => ({ id, path: places.tar(id) }));
    return { key, bootstrap: places.mergedBootstrap(key), bootstrapBytes: bytes, blobs };
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.naming.then(work);
    this.naming = result.catch(() => {});
    return result;
  }
}

/** Unlinks a file. @returns its bytes, when it had no other name */
async function freedBy(path: string): Promise<number> {
  try {
    const { size, nlink } = await stat(path);
    await unlink(path);
    return nlink === 1 ? size : 0;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return 0;
    throw error;
  }
}
