import { join } from "node:path";
import { OperationalError } from "../bytes/errors.ts";
import type { StoreContents } from "./contents.ts";
import { SharedWork } from "./shared-work.ts";
import type { Staging } from "./staging.ts";
import { keyOf } from "./store-places.ts";
import type { Merged, StoreLog } from "./stored-layer.ts";
import { STAGED_BOOTSTRAP } from "./tasks.ts";
import type { ThreadPool } from "./thread-pool.ts";

/** Lays layers of a store over one another, each stack once however many ask for it. */
export class Merges {
  private readonly contents: StoreContents;
  private readonly staging: Staging;
  private readonly threads: ThreadPool;
  private readonly log: StoreLog;
  private readonly shared = new SharedWork<Merged>();

  constructor(contents: StoreContents, staging: Staging, threads: ThreadPool, log: StoreLog) {
    this.contents = contents;
    this.staging = staging;
    this.threads = threads;
    this.log = log;
  }

  /** See `LayerStore.merge`. */
  async merge(diffIds: readonly string[], signal: AbortSignal): Promise<Merged> {
    const key = keyOf(diffIds);
    const known = this.contents.merged.get(key);
    return known ?? this.shared.ask(key, signal, (stop) => this.mergeOnce(key, diffIds, stop));
  }

  private async mergeOnce(key: string, diffIds: readonly string[], signal: AbortSignal): Promise<Merged> {
    const layers = diffIds.map((diffId) => this.contents.mustHave(diffId).bootstrap);
    if (layers.length === 0) throw new OperationalError("no layers to merge");
    const warn = (message: string) => this.log.warn(message);
    return this.contents.holding(diffIds, () =>
      this.staging.within(async (stage) => {
        const bootstrap = join(stage, STAGED_BOOTSTRAP);
        const made = await this.threads.run({ do: "merge", layers, bootstrap }, { signal, warn });
        signal.throwIfAborted();
        return this.contents.addMerged(key, bootstrap, made);
      }),
    );
  }
}
