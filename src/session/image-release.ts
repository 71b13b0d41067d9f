import type { HeldFiles } from "../blob/held-files.ts";
import { messageOf } from "../bytes/errors.ts";
import { areForgotten, outstandingOf, restoreOutstanding } from "../fuse/nlookup.ts";
import type { Logger } from "../log/log.ts";
import type { Clock } from "./clock.ts";
import { ForcedGc } from "./forced-gc.ts";
import type { ImageInstance } from "./image-instance.ts";
import type { ImageSlots } from "./image-slots.ts";
import { evictions } from "./invalidations.ts";
import { unpinImage } from "./pinned-image.ts";
import type { Publisher } from "./publisher.ts";
import { ReleaseQueue } from "./release-queue.ts";

/** What giving images up has to do with. */
export interface ImageReleaseDeps {
  readonly slots: ImageSlots;
  readonly held: HeldFiles;
  readonly publisher: Pick<Publisher, "synchronize" | "notify">;
  /** Resolves when nothing but workers uses the memory of the image in a slot, which is about to be given up. */
  readonly beforeFree: (slot: number) => Promise<void>;
  /** Has workers forget the images in these slots. @returns number of the change */
  readonly publishFreed: (slots: readonly number[]) => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Gives images up that are not shown any more: their slots, memory and files, once the kernel has forgotten them. */
export class ImageRelease {
  private readonly deps: ImageReleaseDeps;
  private readonly queue: ReleaseQueue;
  /** What the kernel knows of them is unknown. */
  private readonly unreclaimable: (readonly ImageInstance[])[] = [];
  private readonly forcedGc = new ForcedGc();

  constructor(deps: ImageReleaseDeps) {
    const { clock, log } = deps;
    this.deps = deps;
    this.queue = new ReleaseQueue({
      evict: (instances) => this.evict(instances),
      free: (instances) => this.free(instances),
      ...{ clock, log },
    });
  }

  /** @param instances that were shown at one path and are not any more */
  retire(instances: readonly ImageInstance[]): void {
    this.stopPrefetching(instances);
    if (instances.some(({ shared }) => outstandingOf(shared.nlookup) === undefined))
      this.unreclaimable.push(instances);
    else this.queue.add(instances);
  }

  /** @param lookups outstanding when another process stopped serving the images, by serial, as far as it knew them */
  restoreLookups(lookups: ReadonlyMap<number, number>): void {
    for (const { placed, shared } of this.deps.slots.all()) {
      const known = lookups.get(placed.serial);
      if (known !== undefined) restoreOutstanding(shared.nlookup, known);
    }
    for (const instances of this.unreclaimable.splice(0)) this.retire(instances);
  }

  close(): void {
    this.queue.close();
  }

  private async evict(instances: readonly ImageInstance[]): Promise<void> {
    for (const instance of instances) await this.deps.publisher.notify(evictions(instance, instances));
  }

  private async free(instances: readonly ImageInstance[]): Promise<void> {
    const { slots, publisher, held, beforeFree, publishFreed } = this.deps;
    for (const { placed } of instances) await beforeFree(placed.slot);
    for (const { pinned } of instances) await pinned.prefetching.stop();
    // That took its time, and a file handle needs no name: a caller may have been let in again.
    if (!areForgotten(instances.map(({ shared }) => shared.nlookup))) return this.queue.add(instances);
    const number = publishFreed(instances.map(({ placed }) => placed.slot));
    await publisher.synchronize(number); // before that, a worker might read from another file under an old number
    for (const instance of instances) {
      // Or just now: that caller gets ESTALE, and the node ids that it was told of never become another image's.
      if (!areForgotten([instance.shared.nlookup])) slots.retireSlot(instance.placed.slot);
      slots.remove(instance);
      await unpinImage(instance.pinned, held);
      this.forcedGc.freed(instance.pinned.image.handle.shared.byteLength);
    }
    setImmediate(() => this.forcedGc.collectIfDue());
  }

  private stopPrefetching(instances: readonly ImageInstance[]): void {
    for (const { pinned } of instances)
      pinned.prefetching.stop().catch((error: unknown) => this.deps.log.error(messageOf(error)));
  }
}
