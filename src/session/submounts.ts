import { setTimeout as sleep } from "node:timers/promises";
import type { HeldFiles } from "../blob/held-files.ts";
import { rootNames } from "../fs/root-names.ts";
import { expireEntry } from "../fuse/notify.ts";
import { balanceOf } from "../fuse/tenants.ts";
import { countersOf, putCounts, sumOf } from "../counters/counters.ts";
import type { EntryChange, Placed } from "../pseudo/change.ts";
import { PseudoTree, pathOf } from "../pseudo/pseudo-tree.ts";
import type { ImageState, ImagesState } from "../handover/state.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { nodeIn } from "../vfs/node-id.ts";
import type { Change } from "./change.ts";
import { entryOf, groupsOf, imagesState } from "./images-state.ts";
import { MountObstacle } from "./mount-obstacle.ts";
import type { Part } from "./part.ts";
import { changed, renamed } from "./renamed.ts";
import { succeed } from "./replace.ts";
import { Residents, type ResidentsOptions } from "./residents.ts";
import { workerSlots } from "./spares.ts";
import type { Stage } from "./stage.ts";
import { lodge, newSubmount, type Resident, type Submount, shownAt } from "./submount.ts";
import type { TakenImage } from "./take.ts";
import type { Tracing } from "./tracing.ts";
import type { ImageChanges, ShownImage } from "./transport.ts";

/** Images at one place that took each other's place and are kept for who may know them; then one starts afresh. */
const MAX_SUCCESSION = 8;
/** For requests that were begun before a change; a READ from a slow disk does not matter. */
const PATIENCE_MS = 1_000;
/** For the kernel to act upon notifications. */
const NOTIFY_MS = 5_000;

/** What the images of a session have to do with. */
export interface SubmountsOptions {
  /** Most workers without spare ones. */
  readonly limit: number;
  readonly push: boolean;
  readonly held: HeldFiles;
  readonly stage: Stage;
  readonly beforeFree: ResidentsOptions["beforeFree"];
  /** Called before workers and kernel learn of a change: what the kernel may be told of, a process that goes on after a crash must know. */
  readonly beforeChange: () => void;
}

/** The images of one session: which are shown where, and what has to be said to whom when that changes. */
export class Submounts implements ImageChanges {
  /** All that have a slot, also those that are not shown any more. */
  readonly residents: Residents;
  private readonly shown = new Map<string, Submount>();
  private readonly tree = new PseudoTree();
  private readonly of: SubmountsOptions;
  private serial = 0;

  constructor(options: SubmountsOptions) {
    const { limit, held, stage, beforeFree } = options;
    this.of = options;
    const threads = workerSlots(limit) + 1; // one more than workers counts: the pusher
    this.residents = new Residents({ threads, held, stage, beforeFree, tell: (part) => this.tell(part) });
  }

  /** In the order in which they were mounted. */
  images(): ShownImage[] {
    return [...this.shown].map(([path, submount]) => ({
      path,
      taken: shownAt(submount).taken,
      since: submount.since,
      counts: () => sumOf([submount.counters]),
      instances: submount.residents.map(({ placed, taken, shared }) => ({
        slot: placed.slot,
        taken,
        accounts: shared.accounts ?? [],
      })),
    }));
  }

  /** Blobs that are lost, of images that are shown. */
  lostBlobs(): number {
    const lost = [...this.shown.values()].map((submount) => new Uint8Array(shownAt(submount).shared.lost));
    return lost.reduce((sum, blobs) => sum + blobs.reduce((all, isLost) => all + isLost, 0), 0);
  }

  /** @throws MountObstacle when it cannot be there */
  check(names: readonly string[]): void {
    const path = pathOf(names);
    const isBelow = names.length > 0 && this.shown.has("/");
    const obstacle = isBelow ? "above" : this.shown.has(path) ? "taken" : this.tree.obstacleAt(names);
    if (obstacle !== undefined) throw new MountObstacle(path, obstacle);
  }

  /** Shows an image before any worker serves: there is nothing yet that the kernel had to forget. @throws MountObstacle */
  mountFirst(names: readonly string[], taken: TakenImage, tracing?: Tracing): void {
    this.place(names, taken, tracing);
  }

  /**
   * Shows an image. Resolves when it can be seen.
   *
   * @throws MountObstacle
   */
  async mount(names: readonly string[], taken: TakenImage, tracing?: Tracing): Promise<void> {
    const { resident, entries } = this.place(names, taken, tracing);
    this.tell({ placed: [resident], entries });
    await this.notify(names.length === 0 ? renamed(rootNames(taken.image)) : changed(entries.slice(0, 1)));
  }

  private place(
    names: readonly string[],
    taken: TakenImage,
    tracing: Tracing | undefined,
  ): { resident: Resident; entries: EntryChange[] } {
    this.check(names);
    const slot = this.residents.freeSlot(names.length === 0);
    const root = rootOf(slot, names, taken);
    const planned =
      names.length === 0 ? AT_ROOT : this.tree.plan(names, { node: root.rootNode, ino: root.rootIno });
    const submount = newSubmount(names, workerSlots(this.of.limit) + 1);
    const resident = this.lodge(submount, taken, { ...root, parent: planned.parent }, tracing);
    this.shown.set(pathOf(names), submount);
    return { resident, entries: planned.entries };
  }

  /**
   * Takes an image away. Resolves when it cannot be seen any more; who is inside stays there.
   *
   * @throws MountObstacle
   */
  async unmount(names: readonly string[]): Promise<void> {
    const submount = this.at(names);
    const entries = this.tree.remove(names);
    this.shown.delete(pathOf(names));
    const number = this.tell({ entries });
    const { image } = shownAt(submount).taken;
    const left = submount.residents.splice(0);
    await this.leave(left, number, names.length === 0 ? renamed(rootNames(image)) : changed(entries));
  }

  /**
   * Shows another image in the place of one. Resolves when it can be seen. Files that are open are read on as they
   * were.
   *
   * @throws MountObstacle
   */
  async remount(names: readonly string[], taken: TakenImage): Promise<void> {
    const submount = this.at(names);
    submount.since = new Date();
    if (submount.residents.length >= MAX_SUCCESSION) return this.afresh(submount, taken);
    const shown = shownAt(submount);
    const slot = this.residents.freeSlot(false);
    const { replacement, place } = succeed(submount, taken, slot);
    const { parent } = place;
    const resident = this.lodge(submount, taken, place);
    const number = this.tell({ placed: [resident], forwarded: [...replacement.forwards.keys()] });
    shown.taken.prefetching.stop();
    // What the kernel knows is known when nobody answers by the old image any more.
    await this.of.stage.taken(number, PATIENCE_MS);
    // The mountpoint itself leads to a root that may have other attributes.
    const name = names.at(-1);
    const here = name === undefined ? [] : [expireEntry(parent, Buffer.from(name))];
    await this.notify([...here, ...replacement.notifications()]);
  }

  /** For a process that goes on with them. @param isCounted false: nothing was counted yet */
  state(isCounted: boolean): ImagesState {
    const { residents, tree, serial } = this;
    return imagesState({ residents, tree, serial, shown: this.shown.values() }, isCounted);
  }

  /** How many lookups the kernel has of each image, by serial; when nobody serves any more. */
  balances(): [serial: number, balance: number][] {
    return this.residents.all().map(({ placed, shared }) => [placed.serial, balanceOf(shared.lookups)]);
  }

  /**
   * Goes on with the images of another process, before anything else.
   *
   * @param takenOf opens one of them again; undefined: it cannot, and those that go together with it are given up
   */
  inherit(state: ImagesState, takenOf: (image: ImageState) => TakenImage | undefined): void {
    const submounts = state.places.map(({ names, since, counts }): Submount => {
      const submount = newSubmount(names, workerSlots(this.of.limit) + 1);
      submount.since = new Date(since);
      putCounts(countersOf(submount.counters, workerSlots(this.of.limit) + 1), counts);
      return submount;
    });
    putCounts(countersOf(this.residents.session, workerSlots(this.of.limit) + 1), state.counts);
    this.residents.inherit(state.burnt);
    this.tree.restore(state.entries.map(entryOf), state);
    this.serial = state.serial;
    for (const group of groupsOf(state.images)) {
      const taken = group.map(takenOf);
      if (taken.every((each) => each !== undefined))
        this.inheritGroup(group, taken, submounts[group[0].place]);
    }
  }

  /** @param balances how many lookups the kernel had of each image when it was handed over, by serial */
  settle = (balances: ReadonlyMap<number, number>): void => this.residents.settle(balances);

  private inheritGroup(group: readonly ImageState[], taken: readonly TakenImage[], submount: Submount): void {
    group.forEach(({ slot, serial, rootNode, rootIno, parent, isSuccessor, isPushed }, i) => {
      const { rootNid } = taken[i].image.handle;
      const place = isSuccessor
        ? succeed(submount, taken[i], slot).place
        : { slot, rootNid, rootNode, rootIno, parent };
      const how = { placed: { ...place, serial }, tracing: undefined, push: isPushed && this.of.push };
      this.house(submount, taken[i], { ...how, isInherited: true });
    });
    if (group.at(-1)?.isShown === true) this.shown.set(pathOf(submount.names), submount);
    else this.residents.leave(submount.residents.splice(0));
  }

  /** All there is, for a worker that joins. */
  snapshot(): Change {
    return this.change({
      placed: this.residents.all(),
      entries: this.tree.all(),
      forwarded: this.residents.all(),
    });
  }

  private async afresh(submount: Submount, taken: TakenImage): Promise<void> {
    const { names } = submount;
    const old = shownAt(submount);
    const left = submount.residents.splice(0);
    const root = rootOf(this.residents.freeSlot(names.length === 0), names, taken);
    const entries =
      names.length === 0 ? [] : this.tree.lead(names, { node: root.rootNode, ino: root.rootIno });
    const resident = this.lodge(submount, taken, { ...root, parent: old.placed.parent });
    const number = this.tell({ placed: [resident], entries });
    const all = [...rootNames(old.taken.image), ...rootNames(taken.image)];
    await this.leave(left, number, names.length === 0 ? renamed(all) : changed(entries));
  }

  /**
   * Tells the kernel that images are gone. They leave when nobody can lead it to them any more: it might have forgotten
   * them, and be told of them again.
   */
  private async leave(
    residents: readonly Resident[],
    number: number,
    messages: readonly Buffer[],
  ): Promise<void> {
    const { stage } = this.of;
    const told = stage.notify(messages);
    Promise.all([told, stage.taken(number)]).then(() => this.residents.leave(residents));
    await patiently(told);
  }

  private async notify(messages: readonly Buffer[]): Promise<void> {
    await patiently(this.of.stage.notify(messages));
  }

  private at(names: readonly string[]): Submount {
    const submount = this.shown.get(pathOf(names));
    if (submount === undefined) throw new MountObstacle(pathOf(names), "nothing");
    return submount;
  }

  private lodge(
    submount: Submount,
    taken: TakenImage,
    place: Omit<Placed, "serial">,
    tracing?: Tracing,
  ): Resident {
    const placed = { ...place, serial: this.serial++ };
    return this.house(submount, taken, { placed, tracing, push: this.of.push, isInherited: false });
  }

  private house(
    submount: Submount,
    taken: TakenImage,
    how: { placed: Placed; tracing: Tracing | undefined; push: boolean; isInherited: boolean },
  ): Resident {
    const resident = lodge(submount, taken, { ...how, limit: this.of.limit });
    submount.residents.push(resident);
    this.residents.add(resident);
    return resident;
  }

  private tell(part: Part): number {
    this.of.beforeChange();
    return this.of.stage.change(this.change(part));
  }

  private change({ placed = [], entries = [], forwarded = [], freed = [] }: Part): Change {
    const root = this.shown.get("/");
    const forwardings = forwarded.flatMap(({ placed: { slot }, forward }) =>
      forward === undefined ? [] : [{ slot, to: forward.buffer as SharedArrayBuffer }],
    );
    return {
      tree: {
        rootSlot: root && shownAt(root).placed.slot,
        placed: placed.map((resident) => resident.placed),
        entries,
        forwardings,
        freed,
      },
      images: placed.map(({ shared }) => shared),
    };
  }
}

/** Somebody may hold a directory for long: then the kernel is told when he lets go, and nobody waits for that. */
const patiently = (told: Promise<void>): Promise<void> =>
  Promise.race([told, sleep(NOTIFY_MS, undefined, { ref: false })]);

const AT_ROOT: { parent: number; entries: EntryChange[] } = { parent: ROOT_NODE, entries: [] };

function rootOf(
  slot: number,
  names: readonly string[],
  { image }: TakenImage,
): Omit<Placed, "serial" | "parent"> {
  const { rootNid } = image.handle;
  const rootNode = names.length === 0 ? ROOT_NODE : nodeIn(slot, ROOT_NODE);
  return { slot, rootNid, rootNode, rootIno: nodeIn(slot, rootNid) };
}
