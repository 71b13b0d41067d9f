import { addTo, type Counters, newCounters, sumOf } from "../counters/counters.ts";
import { type PrefetchProgress, progressOf, sumProgress } from "../counters/prefetch-progress.ts";
import type { ImageInstance, Submount } from "./image-instance.ts";

/** Images by slot, which is part of their node ids: an image keeps its slot until the kernel has forgotten its nodes. */
export class ImageSlots {
  /** What is counted for no image; see counters/counters. */
  readonly session: SharedArrayBuffer;
  private readonly slots: (ImageInstance | undefined)[] = [];
  private readonly retiredSlots = new Set<number>();
  /** With how many instances each. */
  private readonly submounts = new Map<Submount, number>();
  /** What was counted and prefetched for images that are gone. */
  private readonly removedCounts: Counters = sumOf([]);
  private removedProgress = sumProgress([]);

  /** @param threads that count */
  constructor(threads: number) {
    this.session = newCounters(threads + 1); // the last row is that of processes that served before
  }

  /** @returns what gives every slot back to the image that it has now */
  checkpoint(): () => void {
    const [slots, submounts] = [[...this.slots], [...this.submounts]];
    return () => {
      this.slots.splice(0, Number.POSITIVE_INFINITY, ...slots);
      this.submounts.clear();
      for (const [submount, count] of submounts) this.submounts.set(submount, count);
    };
  }

  all(): ImageInstance[] {
    return this.slots.filter((instance) => instance !== undefined);
  }

  at(slot: number): ImageInstance | undefined {
    return this.slots[slot];
  }

  /** @param isRoot slot 0 is for an image at the root, whose node ids are then what they are without other images */
  freeSlot(isRoot: boolean): number {
    let slot = isRoot ? 0 : 1;
    while (this.slots[slot] !== undefined || this.retiredSlots.has(slot)) slot++;
    return slot;
  }

  add(instance: ImageInstance): void {
    const { placed, submount } = instance;
    this.slots[placed.slot] = instance;
    this.submounts.set(submount, (this.submounts.get(submount) ?? 0) + 1);
  }

  remove({ placed, submount, pinned }: ImageInstance): void {
    this.slots[placed.slot] = undefined;
    this.removedProgress = sumProgress([this.removedProgress, progressOf(pinned.prefetching.progress)]);
    const left = (this.submounts.get(submount) ?? 1) - 1;
    this.submounts.set(submount, left);
    if (left > 0) return;
    addTo(this.removedCounts, submount.counters);
    this.submounts.delete(submount);
  }

  /** No image may have the slot again: the kernel may know node ids in it. */
  retireSlot(slot: number): void {
    this.retiredSlots.add(slot);
  }

  get retired(): readonly number[] {
    return [...this.retiredSlots];
  }

  /** All that was counted, also for images that are gone. */
  counts(): Counters {
    const sum = this.otherCounts();
    for (const { counters } of this.submounts.keys()) addTo(sum, counters);
    return sum;
  }

  /** What was counted for no image that has a slot. */
  otherCounts(): Counters {
    const sum = sumOf([this.session]);
    this.removedCounts.forEach((count, at) => {
      sum[at] += count;
    });
    return sum;
  }

  /** What was prefetched, also of images that are gone. */
  prefetched(): PrefetchProgress {
    return sumProgress([
      this.removedProgress,
      ...this.all().map(({ pinned }) => progressOf(pinned.prefetching.progress)),
    ]);
  }
}
