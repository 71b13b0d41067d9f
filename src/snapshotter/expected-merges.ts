import { messageOf } from "../bytes/errors.ts";
import { LayerStore } from "../layer-store/layer-store.ts";
import type { Logger } from "../log/log.ts";

/** From the commit of a layer on, how long it is awaited that another one comes on top. */
const SETTLE_MS = 200;

/** Merges of images that a container will soon ask for, begun before it does. */
export class ExpectedMerges {
  private readonly merge: (layers: readonly string[], signal: AbortSignal) => Promise<unknown>;
  private readonly log: Logger;
  private readonly awaited = new Map<string, AbortController>();

  constructor(merge: ExpectedMerges["merge"], log: Logger) {
    this.merge = merge;
    this.log = log;
  }

  /** Merges soon, unless another layer comes on top. */
  expect(layers: readonly string[]): void {
    this.unexpect(layers);
    const key = LayerStore.keyOf(layers);
    const stop = new AbortController();
    this.awaited.set(key, stop);
    const timer = setTimeout(() => void this.begin(key, layers, stop), SETTLE_MS);
    stop.signal.addEventListener("abort", () => clearTimeout(timer));
  }

  /** There is a layer on top of these: also what has begun is given up, unless somebody else asks for it, too. */
  unexpect(layers: readonly string[]): void {
    const key = LayerStore.keyOf(layers);
    this.awaited.get(key)?.abort();
    this.awaited.delete(key);
  }

  has = (key: string): boolean => this.awaited.has(key);

  close(): void {
    for (const stop of this.awaited.values()) stop.abort();
    this.awaited.clear();
  }

  private async begin(key: string, layers: readonly string[], stop: AbortController): Promise<void> {
    try {
      await this.merge(layers, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) this.log.warn(`merge ${key}: ${messageOf(error)}`);
    } finally {
      if (this.awaited.get(key) === stop) this.awaited.delete(key);
    }
  }
}
