import { sharedCell } from "../mkfs/report.ts";
import { otherThanTar } from "../source/media-types.ts";
import { NotConvertible } from "./not-convertible.ts";
import type { Placing } from "./placing.ts";
import { SharedWork } from "./shared-work.ts";
import type { Staging } from "./staging.ts";
import type { LayerSource, StoredLayer, StoreLog } from "./stored-layer.ts";
import type { ThreadPool } from "./thread-pool.ts";

const PROGRESS_MS = 200;

/** @param done bytes of the blob @param of how many */
export type OnProgress = (done: number, of: number) => void;

/** Makes layers of blobs, each once however many ask for it. */
export class Conversions {
  private readonly placing: Placing;
  private readonly staging: Staging;
  private readonly threads: ThreadPool;
  private readonly log: StoreLog;
  private readonly shared = new SharedWork<StoredLayer>();
  /** By digest of what is under way, bytes that are done. */
  private readonly done = new Map<string, Float64Array>();

  constructor(placing: Placing, staging: Staging, threads: ThreadPool, log: StoreLog) {
    this.placing = placing;
    this.staging = staging;
    this.threads = threads;
    this.log = log;
  }

  /** See `LayerStore.convert`. */
  async convert(source: LayerSource, signal: AbortSignal, onProgress?: OnProgress): Promise<StoredLayer> {
    const { digest, size, mediaType } = source;
    const other = otherThanTar(mediaType);
    if (other !== undefined) throw new NotConvertible(`${digest}: media type ${mediaType}: ${other}`);
    const tell = () => onProgress?.(this.done.get(digest)?.[0] ?? 0, size);
    const timer = onProgress && setInterval(tell, PROGRESS_MS).unref();
    try {
      return await this.shared.ask(digest, signal, (stop) => this.convertOnce(source, stop));
    } finally {
      clearInterval(timer);
    }
  }

  private async convertOnce(source: LayerSource, signal: AbortSignal): Promise<StoredLayer> {
    const { digest, size, file, stream } = source;
    const done = sharedCell();
    this.done.set(digest, done);
    const input = file === undefined && stream !== undefined ? () => stream(signal) : undefined;
    const warn = (message: string) => this.log.warn(message);
    try {
      return await this.staging.within(async (stage) => {
        const task = { do: "convert", stage, digest, size, file, done } as const;
        const made = await this.threads.run(task, { signal, warn, input });
        signal.throwIfAborted();
        return this.placing.add(stage, made);
      });
    } finally {
      if (this.done.get(digest) === done) this.done.delete(digest);
    }
  }
}
