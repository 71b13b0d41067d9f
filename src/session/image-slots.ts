import type { HeldFiles } from "../blob/held-files.ts";
import { areForgotten, outstandingOf, restoreOutstanding } from "../fuse/nlookup.ts";
import { addTo, type Counters, newCounters, sumOf } from "../counters/counters.ts";
import { type PrefetchProgress, progressOf, sumProgress } from "../counters/prefetch-progress.ts";
import { ReleaseQueue } from "./release-queue.ts";
import { ForcedGc } from "./forced-gc.ts";
import type { Publisher } from "./publisher.ts";
import type { Delta, ImageInstance, Submount } from "./image-instance.ts";
import { unpinImage } from "./pinned-image.ts";

/** What images with a slot have to do with. */
export interface ImageSlotsDeps {
  /** That count. */
  readonly threads: number;
  readonly held: HeldFiles;
  readonly publisher: Publisher;
  /** Has workers take in what is new. @returns the number of the change */
  readonly publish: (delta: Delta) => number;
  /** Resolves when nothing but workers uses the memory of the image in a slot, which is about to be given up. */
  readonly beforeFree: (slot: number) => Promise<void>;
  /** Called when an image that the kernel has forgotten cannot be given up. */
  readonly releaseFailed: (error: unknown) => void;
}

/** Images that have a slot. One that is not shown keeps it until the kernel has forgotten the last of its nodes. */
export class ImageSlots {
  /** What is counted for no image; see counters/counters. */
  readonly session: SharedArrayBuffer;
  private readonly of: ImageSlotsDeps;
  private readonly slots: (ImageInstance | undefined)[] = [];
  private readonly releaseQueue: ReleaseQueue;
  /** With how many instances. */
  private readonly imageTable = new Map<Submount, number>();
  private readonly retiredNumbers = new Set<number>();
  /** Not shown any more, and nobody knows what the kernel knows of them: a process that served them died. */
  private readonly unreclaimable: (readonly ImageInstance[])[] = [];
  private readonly departed: Counters = sumOf([]);
  private warmed = sumProgress([]);
  private readonly forcedGc = new ForcedGc();

  constructor(options: ImageSlotsDeps) {
    this.of = options;
    this.session = newCounters(options.threads + 1); // the last one's: processes that served before
    this.releaseQueue = new ReleaseQueue(
      options.publisher,
      (instances) => this.free(instances),
      options.releaseFailed,
    );
  }

  all(): ImageInstance[] {
    return this.slots.filter((instance) => instance !== undefined);
  }

  at(slot: number): ImageInstance | undefined {
    return this.slots[slot];
  }

  /** @param isRoot the first is for an image at the root, whose nodes are then what they are without others */
  freeSlot(isRoot: boolean): number {
    let slot = isRoot ? 0 : 1;
    while (this.slots[slot] !== undefined || this.retiredNumbers.has(slot)) slot++;
    return slot;
  }

  /** Those that no image may have again. */
  get retiredSlots(): readonly number[] {
    return [...this.retiredNumbers];
  }

  /** What another process knew, before anything else. */
  restoreRetired(retired: readonly number[]): void {
    for (const slot of retired) this.retiredNumbers.add(slot);
  }

  add(instance: ImageInstance): void {
    const { placed, submount } = instance;
    this.slots[placed.slot] = instance;
    this.imageTable.set(submount, (this.imageTable.get(submount) ?? 0) + 1);
  }

  /** They are not shown any more: all that were at one place. */
  retire(instances: readonly ImageInstance[]): void {
    for (const { pinned } of instances) pinned.prefetching.stop();
    const isKnown = instances.every(({ shared }) => outstandingOf(shared.nlookup) !== undefined);
    if (isKnown) this.releaseQueue.add(instances);
    else this.unreclaimable.push(instances);
  }

  /** @param balances how many lookups the kernel had of images when another process stopped serving them, by serial */
  restoreLookups(balances: ReadonlyMap<number, number>): void {
    for (const { placed, shared } of this.all()) {
      const balance = balances.get(placed.serial);
      if (balance !== undefined) restoreOutstanding(shared.nlookup, balance);
    }
    for (const instances of this.unreclaimable.splice(0)) this.retire(instances);
  }

  /** All that was counted, also for images that are gone. */
  counts(): Counters {
    const sum = this.otherCounts();
    for (const { counters } of this.imageTable.keys()) addTo(sum, counters);
    return sum;
  }

  /** What was counted for no image that has a slot. */
  otherCounts(): Counters {
    const sum = sumOf([this.session]);
    this.departed.forEach((count, at) => {
      sum[at] += count;
    });
    return sum;
  }

  /** What was warmed, also of images that are gone. */
  prefetched(): PrefetchProgress {
    return sumProgress([
      this.warmed,
      ...this.all().map(({ pinned }) => progressOf(pinned.prefetching.progress)),
    ]);
  }

  /** Resolves when nothing is warmed any more. */
  async close(): Promise<void> {
    this.releaseQueue.close();
    await Promise.all(this.all().map(({ pinned }) => pinned.prefetching.stop()));
  }

  private async free(instances: readonly ImageInstance[]): Promise<void> {
    const { publisher, held, publish, beforeFree } = this.of;
    for (const { placed } of instances) await beforeFree(placed.slot);
    for (const { pinned } of instances) await pinned.prefetching.stop();
    // That took its time, and a file handle needs no name: somebody may have been let in again.
    if (!areForgotten(instances.map(({ shared }) => shared.nlookup))) return this.releaseQueue.add(instances);
    const number = publish({ freed: instances.map(({ placed }) => placed.slot) });
    await publisher.synchronize(number); // before that, a worker might read from another file under an old number
    for (const instance of instances) {
      // Or just now: he gets ESTALE, and the nodes that he was told of never become another image's.
      if (!areForgotten([instance.shared.nlookup])) this.retiredNumbers.add(instance.placed.slot);
      this.forget(instance);
      await unpinImage(instance.pinned, held);
      this.forcedGc.freed(instance.pinned.image.handle.shared.byteLength);
    }
    setImmediate(() => this.forcedGc.collectIfDue());
  }

  private forget({ placed, submount, pinned }: ImageInstance): void {
    this.slots[placed.slot] = undefined;
    this.warmed = sumProgress([this.warmed, progressOf(pinned.prefetching.progress)]);
    const left = (this.imageTable.get(submount) ?? 1) - 1;
    this.imageTable.set(submount, left);
    if (left > 0) return;
    addTo(this.departed, submount.counters);
    this.imageTable.delete(submount);
  }
}
