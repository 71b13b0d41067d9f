import { rm } from "node:fs/promises";
import { messageOf } from "../bytes/errors.ts";
import { sharedCell } from "../mkfs/report.ts";
import { isWrongBytes } from "./blob-problem.ts";
import type { StoreContents } from "./contents.ts";
import type { Placing } from "./placing.ts";
import { SharedWork } from "./shared-work.ts";
import type { Staging } from "./staging.ts";
import { diffOfId, idOfDiff } from "./store-places.ts";
import type { StoredLayer, StoreLog } from "./stored-layer.ts";
import type { DamagedLayer } from "./tasks.ts";
import type { ThreadPool } from "./thread-pool.ts";

/** Makes bootstraps anew of tars that are in the store. */
export class Rebuilds {
  private readonly contents: StoreContents;
  private readonly placing: Placing;
  private readonly staging: Staging;
  private readonly threads: ThreadPool;
  private readonly log: StoreLog;
  private readonly shared = new SharedWork<StoredLayer>();

  constructor(
    contents: StoreContents,
    placing: Placing,
    staging: Staging,
    threads: ThreadPool,
    log: StoreLog,
  ) {
    this.contents = contents;
    this.placing = placing;
    this.staging = staging;
    this.threads = threads;
    this.log = log;
  }

  /** A layer with a bootstrap of this version of the builder: of another one's, only the headers of the tar are read again. */
  async current(diffId: string, signal: AbortSignal): Promise<StoredLayer> {
    const layer = this.contents.mustHave(diffId);
    const id = idOfDiff(diffId) ?? "";
    if (layer.bootstrap === this.contents.places.bootstrap(id)) return layer;
    return this.rebuilt({ id, tarBytes: layer.tarBytes, isTrusted: true }, signal);
  }

  /**
   * A layer whose bootstrap is damaged. It goes when its tar was read, and is proved to be damaged, too; whatever else is wrong,
   * the tar may be the only one that there is.
   *
   * @throws what building throws
   */
  async again({ diffId, tarBytes, tar, bootstrap }: StoredLayer, signal: AbortSignal): Promise<StoredLayer> {
    try {
      return await this.rebuilt({ id: idOfDiff(diffId) ?? "", tarBytes, isTrusted: false }, signal);
    } catch (error) {
      if (isWrongBytes(error)) {
        this.log.warn(`layer ${diffId}: removed: ${messageOf(error)}`);
        this.contents.layers.delete(diffId);
        for (const path of [bootstrap, tar]) await rm(path, { force: true });
      }
      throw error;
    }
  }

  /** The same of layers that were found like that. */
  async recover(layers: readonly DamagedLayer[]): Promise<void> {
    const { signal } = new AbortController();
    await Promise.all(
      layers.map(async ({ problem, bootstrap, ...facts }) => {
        const found = {
          ...this.contents.storedLayer({ ...facts, bootstrapBytes: 0, side: undefined }),
          bootstrap,
        };
        this.log.warn(`${problem}: to be made again of ${found.tar}`);
        const made = await this.again(found, signal).catch((error: unknown) => {
          if (!isWrongBytes(error)) this.log.warn(`${found.tar}: kept as it is: ${messageOf(error)}`);
        });
        if (made && made.bootstrap !== bootstrap) await rm(bootstrap, { force: true });
      }),
    );
  }

  private rebuilt(
    { id, tarBytes: size, isTrusted }: { id: string; tarBytes: number; isTrusted: boolean },
    signal: AbortSignal,
  ): Promise<StoredLayer> {
    const digest = diffOfId(id);
    const file = this.contents.places.tar(id);
    const begin = (stop: AbortSignal) =>
      this.contents.holding([digest], () =>
        this.staging.within(async (stage) => {
          const own = { isTrusted };
          const task = { do: "convert", stage, digest, size, file, own, done: sharedCell() } as const;
          const made = await this.threads.run(task, { signal: stop, warn: () => {} }); // it was said the first time
          stop.throwIfAborted();
          return this.placing.add(stage, made);
        }),
      );
    return this.shared.ask(`${id} ${isTrusted}`, signal, begin);
  }
}
