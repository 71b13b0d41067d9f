import { stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../bytes/errors.ts";
import type { StoreContents } from "./contents.ts";
import { DurableNames } from "./durable-names.ts";
import type { Merged, StoredLayer } from "./stored-layer.ts";
import { type Converted, type MergeDone, STAGED_BOOTSTRAP } from "./tasks.ts";

/** Gives files of a store their names, and takes them away: one after the other, because two layers may share a side blob. */
export class Placing {
  private readonly contents: StoreContents;
  private readonly names = new DurableNames();
  /** Layers whose names the disk does not have yet. */
  private readonly arriving = new Set<StoredLayer>();
  private last: Promise<unknown> = Promise.resolve();

  constructor(contents: StoreContents) {
    this.contents = contents;
  }

  /** Gives a layer that lies in a directory its names. One that is there stays: it may be mounted. */
  add(stage: string, made: Converted): Promise<StoredLayer> {
    const { layers } = this.contents;
    const layer = this.contents.storedLayer(made);
    const { diffId, side } = layer;
    return this.contents.holding([diffId], async () => {
      const known = layers.get(diffId);
      if (known !== undefined && made.isNew) return known;
      const names: [from: string, to: string][] = [];
      if (side !== undefined) names.push([join(stage, side.id), side.path]);
      if (made.isNew) names.push([join(stage, made.id), layer.tar]);
      names.push([join(stage, STAGED_BOOTSTRAP), layer.bootstrap]); // last: what has one is whole
      this.arriving.add(layer);
      try {
        await this.give(names);
      } finally {
        this.arriving.delete(layer);
      }
      layers.set(diffId, layer);
      if (known !== undefined && known.bootstrap !== layer.bootstrap) await freedBy(known.bootstrap);
      return layer;
    });
  }

  /** The same of layers that were merged. */
  async addMerged(key: string, bootstrap: string, made: MergeDone): Promise<Merged> {
    const merged = this.contents.mergedImage(key, made);
    await this.give([[bootstrap, merged.bootstrap]]);
    this.contents.merged.set(key, merged);
    return merged;
  }

  /**
   * @param isNeeded asked in the moment in which it would begin to go
   * @returns bytes of files that are gone; 0 when there is no such layer, or work or somebody needs it
   */
  removeLayer(diffId: string, isNeeded: () => boolean): Promise<number> {
    const { layers, isHeld } = this.contents;
    return this.inTurn(async () => {
      const layer = layers.get(diffId);
      if (layer === undefined || isHeld(diffId) || isNeeded()) return 0;
      layers.delete(diffId);
      const { side } = layer;
      // The bootstrap first: what has one is whole.
      const paths = [layer.bootstrap, layer.tar];
      const others = side === undefined ? [] : [...layers.values(), ...this.arriving];
      if (side !== undefined && !others.some((other) => other.side?.id === side.id)) paths.push(side.path);
      let freed = 0;
      for (const path of paths) freed += await freedBy(path);
      return freed;
    });
  }

  removeMerged(key: string, isNeeded: () => boolean): Promise<number> {
    const { merged } = this.contents;
    return this.inTurn(async () => {
      const image = merged.get(key);
      if (image === undefined || isNeeded()) return 0;
      merged.delete(key);
      return freedBy(image.bootstrap);
    });
  }

  private async give(names: readonly (readonly [from: string, to: string])[]): Promise<void> {
    await this.inTurn(() => this.names.give(names));
    await this.names.sync(names);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.last.then(work);
    this.last = result.catch(() => {});
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
