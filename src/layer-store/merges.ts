import { join } from "node:path";
import { FormatError, messageOf, OperationalError } from "../bytes/errors.ts";
import type { StoreContents } from "./contents.ts";
import { NotConvertible } from "./not-convertible.ts";
import type { Placing } from "./placing.ts";
import type { Rebuilds } from "./rebuilds.ts";
import { SharedWork } from "./shared-work.ts";
import type { Staging } from "./staging.ts";
import { keyOf } from "./store-places.ts";
import type { Merged, StoredLayer, StoreLog } from "./stored-layer.ts";
import { STAGED_BOOTSTRAP } from "./tasks.ts";
import type { ThreadPool } from "./thread-pool.ts";

/** Lays layers of a store over one another, each stack once however many ask for it. */
export class Merges {
  private readonly contents: StoreContents;
  private readonly placing: Placing;
  private readonly rebuilds: Rebuilds;
  private readonly staging: Staging;
  private readonly threads: ThreadPool;
  private readonly log: StoreLog;
  private readonly shared = new SharedWork<Merged>();

  constructor(
    contents: StoreContents,
    placing: Placing,
    rebuilds: Rebuilds,
    staging: Staging,
    threads: ThreadPool,
    log: StoreLog,
  ) {
    this.contents = contents;
    this.placing = placing;
    this.rebuilds = rebuilds;
    this.staging = staging;
    this.threads = threads;
    this.log = log;
  }

  /** See `LayerStore.merge`. */
  async merge(diffIds: readonly string[], signal: AbortSignal, isAnew = false): Promise<Merged> {
    const key = keyOf(diffIds);
    const known = this.contents.merged.get(key);
    if (!isAnew && known?.bootstrap === this.contents.places.mergedBootstrap(key)) return known;
    return this.shared.ask(key, signal, (stop) =>
      this.contents.holding(diffIds, () => this.mergeWhole(key, diffIds, stop)),
    );
  }

  /** What is damaged of a layer's bootstrap shows when all of it is read: then it is made again, once. */
  private async mergeWhole(key: string, diffIds: readonly string[], signal: AbortSignal): Promise<Merged> {
    if (diffIds.length === 0) throw new OperationalError("no layers to merge");
    const again = new Set<string>();
    for (;;) {
      const layers = await Promise.all(diffIds.map((diffId) => this.rebuilds.current(diffId, signal)));
      try {
        return await this.mergeOnce(key, layers, signal);
      } catch (error) {
        const broken = error instanceof NotConvertible ? error.cause : undefined;
        const damaged =
          broken instanceof FormatError
            ? layers.find(({ bootstrap }) => bootstrap === broken.where.file)
            : undefined;
        if (damaged === undefined || again.has(damaged.diffId)) throw error;
        this.log.warn(`${messageOf(broken)}: it is made again of ${damaged.tar}`);
        await this.rebuilds.again(damaged, signal);
        again.add(damaged.diffId);
      }
    }
  }

  private mergeOnce(key: string, layers: readonly StoredLayer[], signal: AbortSignal): Promise<Merged> {
    const warn = (message: string) => this.log.warn(message);
    return this.staging.within(async (stage) => {
      const bootstrap = join(stage, STAGED_BOOTSTRAP);
      const paths = layers.map((layer) => layer.bootstrap);
      const made = await this.threads.run({ do: "merge", layers: paths, bootstrap }, { signal, warn });
      signal.throwIfAborted();
      return this.placing.addMerged(key, bootstrap, made);
    });
  }
}
