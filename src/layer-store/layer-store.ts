import { messageOf, OperationalError } from "../bytes/errors.ts";
import { mustBeOwnDirectory } from "../safe-open/own-directory.ts";
import { StoreContents } from "./contents.ts";
import { Conversions, type OnProgress } from "./conversions.ts";
import { fillEmpty } from "./fill-empty.ts";
import { Merges } from "./merges.ts";
import { type Conversion, NOBODY, type StoreObserver } from "./observer.ts";
import { Placing } from "./placing.ts";
import { Rebuilds } from "./rebuilds.ts";
import { lockRoot } from "./root-lock.ts";
import { Staging } from "./staging.ts";
import { idOfDiff, keyOf, StorePlaces } from "./store-places.ts";
import type { LayerSource, Merged, StoredLayer, StoreLog, StoreUsage } from "./stored-layer.ts";
import { ThreadPool } from "./thread-pool.ts";

/**
 * Layers as tar and bootstrap, named by the sha256 of the tar, and what they are together. For one process at a time, which knows
 * of everything in it. Whatever has a name is whole and on disk.
 */
export class LayerStore {
  private readonly places: StorePlaces;
  private readonly log: StoreLog;
  private readonly unlock: () => void;
  private readonly threads: ThreadPool;
  private readonly staging: Staging;
  private readonly contents: StoreContents;
  private readonly placing: Placing;
  private readonly conversions: Conversions;
  private readonly rebuilds: Rebuilds;
  private readonly merges: Merges;
  private closing: Promise<void> | undefined;

  private constructor(places: StorePlaces, log: StoreLog, observer: StoreObserver, unlock: () => void) {
    this.places = places;
    this.log = log;
    this.unlock = unlock;
    this.threads = new ThreadPool(observer);
    this.staging = new Staging(places);
    this.contents = new StoreContents(places);
    this.placing = new Placing(this.contents);
    const { contents, placing, staging, threads } = this;
    this.conversions = new Conversions(placing, staging, threads, log);
    this.rebuilds = new Rebuilds(contents, placing, staging, threads, log);
    this.merges = new Merges(contents, placing, this.rebuilds, staging, threads, log);
  }

  /**
   * Opens a store, or makes one. What a process that died has left goes.
   *
   * @param root a directory that nobody else writes to
   * @param observer told of what is done
   * @throws OperationalError when another process uses it, or it cannot be used
   */
  static async open(root: string, log: StoreLog, observer: StoreObserver = NOBODY): Promise<LayerStore> {
    const places = new StorePlaces(root);
    try {
      for (const dir of [root, places.blobs, places.boots, places.merged, places.staging])
        mustBeOwnDirectory(dir, { make: 0o700 });
    } catch (error) {
      throw new OperationalError(`layer store ${root}: ${messageOf(error)}`, { cause: error });
    }
    const store = new LayerStore(places, log, observer, await lockRoot(root));
    try {
      await store.scan();
    } catch (error) {
      await store.close();
      throw error;
    }
    return store;
  }

  /** The key of layers laid over one another. @param diffIds the lowest first */
  static readonly keyOf = keyOf;

  /** Where every tar lies under its sha256. */
  get blobDir(): string {
    return this.places.blobs;
  }

  /** @param diffId `sha256:` and 64 digits */
  get(diffId: string): StoredLayer | undefined {
    return this.contents.layers.get(diffId);
  }

  all(): Iterable<StoredLayer> {
    return this.contents.layers.values();
  }

  mergedOf(key: string): Merged | undefined {
    return this.contents.merged.get(key);
  }

  allMerged(): Iterable<Merged> {
    return this.contents.merged.values();
  }

  /**
   * Makes a layer of a blob. However many ask for one digest, it is converted once.
   *
   * @param onProgress told a few times a second
   * @returns the layer; all of it is on disk
   * @throws NotConvertible when the layer is the reason; OperationalError, or another error that names the store or the blob; the
   *   reason of the signal, once nothing is left
   */
  convert(source: LayerSource, signal: AbortSignal, onProgress?: OnProgress): Promise<StoredLayer> {
    return this.conversions.convert(source, signal, onProgress);
  }

  /** Conversions that wait or are being done. */
  converting(): Conversion[] {
    return this.threads
      .underWay()
      .filter((task) => task.do === "convert")
      .map(({ digest, done, size }) => ({ digest, done: done[0] ?? 0, of: size }));
  }

  /**
   * Lays layers over one another, each of which is in the store.
   *
   * @param diffIds the lowest first
   * @param isAnew also where that was done before: what came of it is damaged
   * @throws OperationalError when one is not there; NotConvertible when they cannot be merged, but unpacked one by one; another
   *   error that names the store; the reason of the signal
   */
  merge(diffIds: readonly string[], signal: AbortSignal, isAnew = false): Promise<Merged> {
    return this.merges.merge(diffIds, signal, isAnew);
  }

  /**
   * Unpacks a layer for an overlay, whose upper layer it becomes.
   *
   * @param directory is empty; and is so again when this fails
   * @param below directories that overlayfs will have below it, the highest first: what the layer takes away is looked for there,
   *   and directories that it only passes through become as they are there
   * @throws OperationalError when the layer is not there; what reading and writing throws; the reason of the signal
   */
  async unpack(
    diffId: string,
    directory: string,
    below: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    const { bootstrap, tar, side } = await this.rebuilds.current(diffId, signal);
    const id = idOfDiff(diffId) ?? "";
    const blobs = [{ id, path: tar }, ...(side === undefined ? [] : [side])];
    const warn = (message: string) => this.log.warn(message);
    await this.contents.holding([diffId], () =>
      fillEmpty(directory, async () => {
        await this.threads.run({ do: "unpack", bootstrap, blobs, directory, below }, { signal, warn });
      }),
    );
  }

  /**
   * Removes what the caller has no use for.
   *
   * @param id the diffID of a layer, the key of what was merged
   * @param isNeeded asked in the moment in which it would begin to go: somebody may have come to need it by then
   * @returns bytes of files that are gone; 0 when there is none, or work under way needs it
   */
  remove(kind: "layer" | "merged", id: string, isNeeded: () => boolean = () => false): Promise<number> {
    return kind === "layer"
      ? this.placing.removeLayer(id, isNeeded)
      : this.placing.removeMerged(id, isNeeded);
  }

  usage(): StoreUsage {
    return this.contents.usage();
  }

  /** Ends work under way, which rejects, and gives the store to others. */
  close(): Promise<void> {
    this.closing ??= this.closeOnce();
    return this.closing;
  }

  private async closeOnce(): Promise<void> {
    await this.threads.close(new OperationalError(`layer store ${this.places.root}: closed`));
    await this.staging.settled();
    this.unlock();
  }

  private async scan(): Promise<void> {
    const { signal } = new AbortController();
    const warn = (message: string) => this.log.warn(message);
    const { layers, damaged, merged, problems } = await this.threads.run(
      { do: "scan", root: this.places.root },
      { signal, warn },
    );
    for (const problem of problems) warn(problem);
    this.contents.know(layers, merged);
    await this.rebuilds.recover(damaged);
  }
}
