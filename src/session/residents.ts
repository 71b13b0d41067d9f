import type { HeldFiles } from "../blob/held-files.ts";
import { isForgotten } from "../fuse/tenants.ts";
import { addTo, type Counters, newCounters, sumOf } from "../metrics/counters.ts";
import { type PrefetchProgress, progressOf, sumProgress } from "../metrics/prefetch-progress.ts";
import { slotOf } from "../vfs/node-id.ts";
import { evictions } from "./evict.ts";
import { Garbage } from "./garbage.ts";
import type { Stage } from "./stage.ts";
import type { Resident, Submount } from "./submount.ts";
import type { Part } from "./submounts.ts";
import { releaseImage } from "./take.ts";

/** Between two looks at whether the kernel has forgotten an image. */
const LOOK_MS = 100;
/** After how many of them it is asked to forget what nobody uses; then after twice as many, up to a bound. */
const FIRST_ASK = 10;
const MAX_ASK = 600;

/** An image that is not shown any more. */
interface Leaving {
  readonly submount: Submount;
  /** Looks since it was asked about. */
  looks: number;
  ask: number;
}

/** Images that have a slot. One that is not shown keeps it until the kernel has forgotten the last of its nodes. */
export class Residents {
  /** What is counted for nobody in particular, and what threads are doing; see metrics/counters. */
  readonly session: SharedArrayBuffer;
  private readonly held: HeldFiles;
  private readonly tell: (part: Part) => number;
  private readonly slots: (Resident | undefined)[] = [];
  private readonly leaving = new Map<Resident, Leaving>();
  private readonly submounts = new Map<Submount, number>();
  private readonly departed: Counters = sumOf([]);
  private warmed = sumProgress([]);
  private stage: Stage | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isLooking = false;
  private readonly garbage = new Garbage();
  /** Called before the memory and the files of an image are given up. */
  onFree: (slot: number) => Promise<unknown> = async () => {};

  /** @param threads that count */
  constructor(threads: number, held: HeldFiles, tell: (part: Part) => number) {
    this.session = newCounters(threads);
    this.held = held;
    this.tell = tell;
  }

  begin(stage: Stage): void {
    this.stage = stage;
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
    while (this.slots[slot] !== undefined) slot++;
    return slot;
  }

  add(resident: Resident, submount: Submount): void {
    this.slots[resident.placed.slot] = resident;
    this.submounts.set(submount, (this.submounts.get(submount) ?? 0) + 1);
  }

  /** They are not shown any more. */
  leave(submount: Submount, residents: readonly Resident[]): void {
    for (const { taken } of residents) taken.prefetching.stop();
    for (const resident of residents) this.leaving.set(resident, { submount, looks: 0, ask: FIRST_ASK });
    this.timer ??= setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** All that was counted, also for images that are gone. */
  counts(): Counters {
    const sum = sumOf([this.session, ...[...this.submounts.keys()].map(({ counters }) => counters)]);
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
    clearInterval(this.timer);
    await Promise.all(this.all().map(({ taken }) => taken.prefetching.stop()));
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    const free = this.forgotten();
    if (free.length > 0) await this.free(free);
    else await this.ask();
    this.isLooking = false;
    if (this.leaving.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Nobody asks for them, nor for one whose requests they answer. */
  private forgotten(): Resident[] {
    const known = [...this.leaving.keys()].filter(({ shared }) => !isForgotten(shared.lookups));
    const needed = new Set(
      known.flatMap(({ forward }) => (forward === undefined ? [] : [...slotsOf(forward)])),
    );
    return [...this.leaving.keys()].filter(
      (resident) => !known.includes(resident) && !needed.has(resident.placed.slot),
    );
  }

  private async ask(): Promise<void> {
    const of = this.all();
    for (const [resident, leaving] of this.leaving) {
      if (++leaving.looks < leaving.ask) continue;
      leaving.looks = 0;
      leaving.ask = Math.min(2 * leaving.ask, MAX_ASK);
      await this.stage?.notify(evictions(resident, of));
    }
  }

  private async free(residents: readonly Resident[]): Promise<void> {
    for (const { placed } of residents) await this.onFree(placed.slot);
    for (const { taken } of residents) await taken.prefetching.stop();
    const number = this.tell({ freed: residents.map(({ placed }) => placed.slot) });
    await this.stage?.taken(number); // before that, a worker might read from another file under an old number
    for (const resident of residents) {
      this.forget(resident);
      await releaseImage(resident.taken, this.held);
      this.garbage.add();
    }
  }

  private forget(resident: Resident): void {
    const submount = this.leaving.get(resident)?.submount;
    this.leaving.delete(resident);
    this.slots[resident.placed.slot] = undefined;
    this.warmed = sumProgress([this.warmed, progressOf(resident.taken.prefetching.progress)]);
    if (submount === undefined) return;
    const left = (this.submounts.get(submount) ?? 1) - 1;
    this.submounts.set(submount, left);
    if (left > 0) return;
    addTo(this.departed, submount.counters);
    this.submounts.delete(submount);
  }
}

function slotsOf(forward: Float64Array): Set<number> {
  const slots = new Set<number>();
  for (const to of forward) if (to !== 0) slots.add(slotOf(to));
  return slots;
}
