import { setTimeout as sleep } from "node:timers/promises";
import type { HeldFiles } from "../blob/held-files.ts";
import { metadataOf, type OpenedImage } from "../fs/open-image.ts";
import { namesIn } from "../vfs/entries.ts";
import { expireEntry } from "../fuse/notify.ts";
import { outstandingOf } from "../fuse/nlookup.ts";
import { countersOf, putCounts, sumOf } from "../counters/counters.ts";
import type { EntryChange, Placed } from "../pseudo/change.ts";
import { PseudoTree, pathOf } from "../pseudo/pseudo-tree.ts";
import type { ImageState, ImagesState } from "../handover/state.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { nodeIn } from "../vfs/node-id.ts";
import type { Change } from "./change.ts";
import { entryOf, groupsOf, imagesState } from "./images-state.ts";
import { MountObstacle } from "./mount-obstacle.ts";
import { entryInvalidations, rootInvalidations } from "./invalidations.ts";
import { remapOnto } from "./node-remap.ts";
import { ImageSlots, type ImageSlotsDeps } from "./image-slots.ts";
import { counterRows } from "./worker-pool.ts";
import type { Publisher } from "./publisher.ts";
import {
  newInstance,
  newSubmount,
  type Delta,
  type ImageInstance,
  type Submount,
  shownAt,
} from "./image-instance.ts";
import type { PinnedImage } from "./pinned-image.ts";
import type { Tracing } from "./tracing.ts";
import type { ImageChanges, ShownImage } from "./transport.ts";

/** Images at one place that took each other's place and are kept for who may know them; then one starts afresh. */
const MAX_REMAPS = 8;
/** For requests that were begun before a change; a READ from a slow disk does not matter. */
const PATIENCE_MS = 1_000;
/** For the kernel to act upon notifications. */
const NOTIFY_MS = 5_000;

/** What the images of a session have to do with. */
export interface ImageTableDeps {
  /** Most workers without spare ones. */
  readonly limit: number;
  readonly push: boolean;
  readonly held: HeldFiles;
  readonly publisher: Publisher;
  readonly beforeFree: ImageSlotsDeps["beforeFree"];
  readonly releaseFailed: ImageSlotsDeps["releaseFailed"];
  /** Called before workers and kernel learn of a change: what the kernel may be told of, a process that goes on after a crash must know. */
  readonly beforeChange: () => void;
}

/** The images of one session: which are shown where, and what has to be said to whom when that changes. */
export class ImageTable implements ImageChanges {
  /** All that have a slot, also those that are not shown any more. */
  readonly slots: ImageSlots;
  private readonly shown = new Map<string, Submount>();
  private readonly tree = new PseudoTree();
  private readonly of: ImageTableDeps;
  private serial = 0;

  constructor(options: ImageTableDeps) {
    const { limit, held, publisher, beforeFree, releaseFailed } = options;
    this.of = options;
    const threads = counterRows(limit) + 1; // one more than workers counts: the pusher
    this.slots = new ImageSlots({
      threads,
      held,
      publisher,
      beforeFree,
      releaseFailed,
      publish: (delta) => this.publish(delta),
    });
  }

  /** In the order in which they were mounted. */
  images(): ShownImage[] {
    return [...this.shown].map(([path, submount]) => ({
      path,
      pinned: shownAt(submount).pinned,
      since: submount.since,
      counts: () => sumOf([submount.counters]),
      instances: submount.instances.map(({ placed, pinned, shared }) => ({
        slot: placed.slot,
        pinned,
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
  mountFirst(names: readonly string[], pinned: PinnedImage, tracing?: Tracing): void {
    this.place(names, pinned, tracing);
  }

  /**
   * Shows an image. Resolves when it can be seen.
   *
   * @throws MountObstacle
   */
  async mount(names: readonly string[], pinned: PinnedImage, tracing?: Tracing): Promise<void> {
    const { instance, entries } = this.place(names, pinned, tracing);
    this.publish({ placed: [instance], entries });
    await this.notify(
      names.length === 0
        ? rootInvalidations(rootNames(pinned.image))
        : entryInvalidations(entries.slice(0, 1)),
    );
  }

  private place(
    names: readonly string[],
    pinned: PinnedImage,
    tracing: Tracing | undefined,
  ): { instance: ImageInstance; entries: EntryChange[] } {
    this.check(names);
    const slot = this.slots.freeSlot(names.length === 0);
    const root = rootOf(slot, names, pinned);
    const planned =
      names.length === 0 ? AT_ROOT : this.tree.plan(names, { node: root.rootNode, ino: root.rootIno });
    const submount = newSubmount(names, counterRows(this.of.limit) + 1);
    const instance = this.attach(submount, pinned, { ...root, parent: planned.parent }, tracing);
    this.shown.set(pathOf(names), submount);
    return { instance, entries: planned.entries };
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
    const number = this.publish({ entries });
    const { image } = shownAt(submount).pinned;
    const left = submount.instances.splice(0);
    await this.retire(
      left,
      number,
      names.length === 0 ? rootInvalidations(rootNames(image)) : entryInvalidations(entries),
    );
  }

  /**
   * Shows another image in the place of one. Resolves when it can be seen. Files that are open are read on as they
   * were.
   *
   * @throws MountObstacle
   */
  async remount(names: readonly string[], pinned: PinnedImage): Promise<void> {
    const submount = this.at(names);
    submount.since = new Date();
    if (submount.instances.length >= MAX_REMAPS) return this.replaceWithoutRemap(submount, pinned);
    const shown = shownAt(submount);
    const slot = this.slots.freeSlot(false);
    const { plan, place } = remapOnto(submount, pinned, slot);
    const { parent } = place;
    const instance = this.attach(submount, pinned, place);
    const number = this.publish({ placed: [instance], remapped: [...plan.remaps.keys()] });
    void shown.pinned.prefetching.stop(); // logs what fails
    // What the kernel knows is known when nobody answers by the old image any more.
    await this.of.publisher.synchronize(number, PATIENCE_MS);
    // The mountpoint itself leads to a root that may have other attributes.
    const name = names.at(-1);
    const here = name === undefined ? [] : [expireEntry(parent, Buffer.from(name))];
    await this.notify([...here, ...plan.notifications()]);
  }

  /** For a process that goes on with them. @param isCounted false: nothing was counted yet */
  state(isCounted: boolean): ImagesState {
    const { slots, tree, serial } = this;
    return imagesState({ slots, tree, serial, shown: this.shown.values() }, isCounted);
  }

  /** How many lookups the kernel has of each image of which that is known, by serial; when nobody serves any more. */
  balances(): [serial: number, balance: number][] {
    return this.slots.all().flatMap(({ placed, shared }) => {
      const outstanding = outstandingOf(shared.nlookup);
      return outstanding === undefined ? [] : [[placed.serial, outstanding] as [number, number]];
    });
  }

  /**
   * Goes on with the images of another process, before anything else.
   *
   * @param takenOf opens one of them again; undefined: it cannot, and those that go together with it are given up
   */
  restore(state: ImagesState, takenOf: (image: ImageState) => PinnedImage | undefined): void {
    const imageTable = state.places.map(({ names, since, counts }): Submount => {
      const submount = newSubmount(names, counterRows(this.of.limit) + 1);
      submount.since = new Date(since);
      putCounts(countersOf(submount.counters, counterRows(this.of.limit) + 1), counts);
      return submount;
    });
    putCounts(countersOf(this.slots.session, counterRows(this.of.limit) + 1), state.counts);
    this.slots.restoreRetired(state.burnt);
    this.tree.restore(state.entries.map(entryOf), state);
    this.serial = state.serial;
    for (const group of groupsOf(state.images)) {
      const pinned = group.map(takenOf);
      if (pinned.every((each) => each !== undefined))
        this.restoreGroup(group, pinned, imageTable[group[0].place]);
    }
  }

  /** @param balances how many lookups the kernel had of each image when it was handed over, by serial */
  restoreLookups = (balances: ReadonlyMap<number, number>): void => this.slots.restoreLookups(balances);

  private restoreGroup(
    group: readonly ImageState[],
    pinned: readonly PinnedImage[],
    submount: Submount,
  ): void {
    group.forEach(({ slot, serial, rootNode, rootIno, parent, isSuccessor, isPushed }, i) => {
      const { rootNid } = pinned[i].image.handle;
      const place = isSuccessor
        ? remapOnto(submount, pinned[i], slot).place
        : { slot, rootNid, rootNode, rootIno, parent };
      const how = { placed: { ...place, serial }, tracing: undefined, push: isPushed && this.of.push };
      this.attachAs(submount, pinned[i], { ...how, isInherited: true });
    });
    if (group.at(-1)?.isShown === true) this.shown.set(pathOf(submount.names), submount);
    else this.slots.retire(submount.instances.splice(0));
  }

  /** All there is, for a worker that joins. */
  snapshot(): Change {
    return this.changeOf({
      placed: this.slots.all(),
      entries: this.tree.all(),
      remapped: this.slots.all(),
    });
  }

  private async replaceWithoutRemap(submount: Submount, pinned: PinnedImage): Promise<void> {
    const { names } = submount;
    const old = shownAt(submount);
    const left = submount.instances.splice(0);
    const root = rootOf(this.slots.freeSlot(names.length === 0), names, pinned);
    const entries =
      names.length === 0 ? [] : this.tree.lead(names, { node: root.rootNode, ino: root.rootIno });
    const instance = this.attach(submount, pinned, { ...root, parent: old.placed.parent });
    const number = this.publish({ placed: [instance], entries });
    const all = [...rootNames(old.pinned.image), ...rootNames(pinned.image)];
    await this.retire(
      left,
      number,
      names.length === 0 ? rootInvalidations(all) : entryInvalidations(entries),
    );
  }

  /**
   * Tells the kernel that images are gone. They leave when nobody can lead it to them any more: it might have forgotten
   * them, and be told of them again.
   */
  private async retire(
    instances: readonly ImageInstance[],
    number: number,
    messages: readonly Buffer[],
  ): Promise<void> {
    const { publisher } = this.of;
    const told = publisher.notify(messages);
    void Promise.all([told, publisher.synchronize(number)]).then(() => this.slots.retire(instances));
    await patiently(told);
  }

  private async notify(messages: readonly Buffer[]): Promise<void> {
    await patiently(this.of.publisher.notify(messages));
  }

  private at(names: readonly string[]): Submount {
    const submount = this.shown.get(pathOf(names));
    if (submount === undefined) throw new MountObstacle(pathOf(names), "nothing");
    return submount;
  }

  private attach(
    submount: Submount,
    pinned: PinnedImage,
    place: Omit<Placed, "serial">,
    tracing?: Tracing,
  ): ImageInstance {
    const placed = { ...place, serial: this.serial++ };
    return this.attachAs(submount, pinned, { placed, tracing, push: this.of.push, isInherited: false });
  }

  private attachAs(
    submount: Submount,
    pinned: PinnedImage,
    how: { placed: Placed; tracing: Tracing | undefined; push: boolean; isInherited: boolean },
  ): ImageInstance {
    const instance = newInstance(submount, pinned, { ...how, limit: this.of.limit });
    submount.instances.push(instance);
    this.slots.add(instance);
    return instance;
  }

  private publish(delta: Delta): number {
    this.of.beforeChange();
    return this.of.publisher.publish(this.changeOf(delta));
  }

  private changeOf({ placed = [], entries = [], remapped = [], freed = [] }: Delta): Change {
    const root = this.shown.get("/");
    const forwardings = remapped.flatMap(({ placed: { slot }, remap }) =>
      remap === undefined ? [] : [{ slot, to: remap.buffer as SharedArrayBuffer }],
    );
    return {
      tree: {
        rootSlot: root && shownAt(root).placed.slot,
        placed: placed.map((instance) => instance.placed),
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
  { image }: PinnedImage,
): Omit<Placed, "serial" | "parent"> {
  const { rootNid } = image.handle;
  const rootNode = names.length === 0 ? ROOT_NODE : nodeIn(slot, ROOT_NODE);
  return { slot, rootNid, rootNode, rootIno: nodeIn(slot, rootNid) };
}

const rootNames = (image: OpenedImage): Uint8Array[] => namesIn(metadataOf(image), ROOT_NODE);
