import type { HeldFiles } from "../blob/held-files.ts";
import { areForgotten, balanceOf, inheritLookups } from "../fuse/tenants.ts";
import { addTo, type Counters, newCounters, sumOf } from "../counters/counters.ts";
import { type PrefetchProgress, progressOf, sumProgress } from "../counters/prefetch-progress.ts";
import { Departures } from "./departures.ts";
import { Garbage } from "./garbage.ts";
import type { Part } from "./part.ts";
import type { Stage } from "./stage.ts";
import type { Resident, Submount } from "./submount.ts";
import { releaseImage } from "./take.ts";

/** What images with a slot have to do with. */
export interface ResidentsOptions {
  /** That count. */
  readonly threads: number;
  readonly held: HeldFiles;
  readonly stage: Stage;
  /** Has workers take in what is new. @returns the number of the change */
  readonly tell: (part: Part) => number;
  /** Resolves when nothing but workers uses the memory of the image in a slot, which is about to be given up. */
  readonly beforeFree: (slot: number) => Promise<void>;
}

/** Images that have a slot. One that is not shown keeps it until the kernel has forgotten the last of its nodes. */
export class Residents {
  /** What is counted for no image; see counters/counters. */
  readonly session: SharedArrayBuffer;
  private readonly of: ResidentsOptions;
  private readonly slots: (Resident | undefined)[] = [];
  private readonly departures: Departures;
  /** With how many residents. */
  private readonly submounts = new Map<Submount, number>();
  private readonly burnt = new Set<number>();
  /** Not shown any more, and nobody knows what the kernel knows of them: a process that served them died. */
  private readonly lasting: (readonly Resident[])[] = [];
  private readonly departed: Counters = sumOf([]);
  private warmed = sumProgress([]);
  private readonly garbage = new Garbage();

  constructor(options: ResidentsOptions) {
    this.of = options;
    this.session = newCounters(options.threads + 1); // the last one's: processes that served before
    this.departures = new Departures(options.stage, (residents) => this.free(residents));
  }

  all(): Resident[] {
    return this.slots.filter((resident) => resident !== undefined);
  }

  at(slot: number): Resident | undefined {
    return this.slots[slot];
  }

  /** @param isRoot the first is for an image at the root, whose nodes are then what they are without others */
  freeSlot(isRoot: boolean): number {
    let slot = isRoot ? 0 : 1;
    while (this.slots[slot] !== undefined || this.burnt.has(slot)) slot++;
    return slot;
  }

  /** Those that no image may have again. */
  get burntSlots(): readonly number[] {
    return [...this.burnt];
  }

  /** What another process knew, before anything else. */
  inherit(burnt: readonly number[]): void {
    for (const slot of burnt) this.burnt.add(slot);
  }

  add(resident: Resident): void {
    const { placed, submount } = resident;
    this.slots[placed.slot] = resident;
    this.submounts.set(submount, (this.submounts.get(submount) ?? 0) + 1);
  }

  /** They are not shown any more: all that were at one place. */
  leave(residents: readonly Resident[]): void {
    for (const { taken } of residents) taken.prefetching.stop();
    const isKnown = residents.every(({ shared }) => !Number.isNaN(balanceOf(shared.lookups)));
    if (isKnown) this.departures.add(residents);
    else this.lasting.push(residents);
  }

  /** @param balances how many lookups the kernel had of images when another process stopped serving them, by serial */
  settle(balances: ReadonlyMap<number, number>): void {
    for (const { placed, shared } of this.all()) {
      const balance = balances.get(placed.serial);
      if (balance !== undefined) inheritLookups(shared.lookups, balance);
    }
    for (const residents of this.lasting.splice(0)) this.leave(residents);
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
    this.departed.forEach((count, at) => {
      sum[at] += count;
    });
    return sum;
  }

  /** What was warmed, also of images that are gone. */
  prefetched(): PrefetchProgress {
    return sumProgress([
      this.warmed,
      ...this.all().map(({ taken }) => progressOf(taken.prefetching.progress)),
    ]);
  }

  /** Resolves when nothing is warmed any more. */
  async close(): Promise<void> {
    this.departures.close();
    await Promise.all(this.all().map(({ taken }) => taken.prefetching.stop()));
  }

  private async free(residents: readonly Resident[]): Promise<void> {
    const { stage, held, tell, beforeFree } = this.of;
    for (const { placed } of residents) await beforeFree(placed.slot);
    for (const { taken } of residents) await taken.prefetching.stop();
    // That took its time, and a file handle needs no name: somebody may have been let in again.
    if (!areForgotten(residents.map(({ shared }) => shared.lookups))) return this.departures.add(residents);
    const number = tell({ freed: residents.map(({ placed }) => placed.slot) });
    await stage.taken(number); // before that, a worker might read from another file under an old number
    for (const resident of residents) {
      // Or just now: he gets ESTALE, and the nodes that he was told of never become another image's.
      if (!areForgotten([resident.shared.lookups])) this.burnt.add(resident.placed.slot);
      this.forget(resident);
      await releaseImage(resident.taken, held);
      this.garbage.add(resident.taken.image.handle.shared.byteLength);
    }
    setImmediate(() => this.garbage.collect());
  }

  private forget({ placed, submount, taken }: Resident): void {
    this.slots[placed.slot] = undefined;
    this.warmed = sumProgress([this.warmed, progressOf(taken.prefetching.progress)]);
    const left = (this.submounts.get(submount) ?? 1) - 1;
    this.submounts.set(submount, left);
    if (left > 0) return;
    addTo(this.departed, submount.counters);
    this.submounts.delete(submount);
  }
}
