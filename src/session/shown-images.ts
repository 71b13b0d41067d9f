import { countersOf, putCounts } from "../counters/counters.ts";
import type { ImageState, ImagesState } from "./snapshot.ts";
import type { EntryChange, ImagePlacement } from "../pseudo/change.ts";
import { PseudoTree, mountPath } from "../pseudo/pseudo-tree.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { nodeIn } from "../vfs/node-id.ts";
import type { Change } from "./change.ts";
import { type ImageInstance, newInstance, newSubmount, type Submount, shownAt } from "./image-instance.ts";
import { ImageSlots } from "./image-slots.ts";
import { entryOf, groupsOf, imagesState } from "./images-state.ts";
import { MountObstacle } from "./mount-obstacle.ts";
import { type RemapPlan, remapOnto } from "./node-remap.ts";
import type { PinnedImage } from "./pinned-image.ts";
import type { Tracing } from "./tracing.ts";
import { counterRows } from "./worker-limits.ts";

/** What is new in a change. */
export interface Delta {
  readonly placed?: readonly ImageInstance[];
  readonly entries?: readonly EntryChange[];
  readonly remapped?: readonly ImageInstance[];
  readonly freed?: readonly number[];
}

/** Which images are shown where, and which have a slot: the data alone, which neither workers nor kernel are told of. */
export class ShownImages {
  readonly slots: ImageSlots;
  private readonly shown = new Map<string, Submount>();
  private readonly tree = new PseudoTree();
  private readonly limit: number;
  private readonly threads: number;
  private readonly push: boolean;
  private serial = 0;

  /** @param limit most workers without overflow workers */
  constructor(limit: number, push: boolean) {
    this.limit = limit;
    this.push = push;
    this.threads = counterRows(limit) + 1; // one more than workers counts: the readahead thread
    this.slots = new ImageSlots(this.threads);
  }

  /** @returns what makes everything what it is now, but for what an image that is shown has counted */
  checkpoint(): () => void {
    const { shown, slots, tree, serial } = this;
    const undoSlots = slots.checkpoint();
    const [entries, counted] = [tree.all(), tree.counted];
    const submounts = [...shown].map(([path, submount]) => ({
      ...{ path, submount, since: submount.since },
      instances: submount.instances.map((instance) => ({ instance, remap: instance.remap })),
    }));
    return () => {
      undoSlots();
      tree.restore(entries, counted);
      this.serial = serial;
      shown.clear();
      for (const { path, submount, since, instances } of submounts) {
        shown.set(path, submount);
        submount.since = since;
        submount.instances.splice(0, Number.POSITIVE_INFINITY, ...instances.map(({ instance }) => instance));
        for (const { instance, remap } of instances) instance.remap = remap;
      }
    };
  }

  /** By path, in the order in which they were mounted. */
  list(): [path: string, submount: Submount][] {
    return [...this.shown];
  }

  /** @throws MountObstacle when no image is there */
  at(names: readonly string[]): Submount {
    const submount = this.shown.get(mountPath(names));
    if (submount === undefined) throw new MountObstacle(mountPath(names), "not mounted");
    return submount;
  }

  /** Shows an image where none is. @throws MountObstacle */
  show(
    names: readonly string[],
    pinned: PinnedImage,
    tracing: Tracing | undefined,
  ): { instance: ImageInstance; entries: readonly EntryChange[] } {
    this.check(names);
    const root = rootIn(this.slots.freeSlot(names.length === 0), names, pinned);
    const { parent, entries } = names.length === 0 ? AT_ROOT : this.tree.plan(names, nodeOf(root));
    const submount = newSubmount(names, this.threads);
    const instance = this.attach(submount, pinned, { ...root, parent }, tracing);
    this.shown.set(mountPath(names), submount);
    return { instance, entries };
  }

  /** Takes the image away. @throws MountObstacle */
  remove(names: readonly string[]): { gone: readonly ImageInstance[]; entries: readonly EntryChange[] } {
    const submount = this.at(names);
    const entries = this.tree.remove(names);
    this.shown.delete(mountPath(names));
    return { gone: submount.instances.splice(0), entries };
  }

  /** Shows an image where another is, whose nodes it goes on with where nothing changed. */
  remap(submount: Submount, pinned: PinnedImage): { instance: ImageInstance; plan: RemapPlan } {
    const { plan, placement } = remapOnto(submount, pinned, this.slots.freeSlot(false));
    submount.since = new Date();
    return { instance: this.attach(submount, pinned, placement, undefined), plan };
  }

  /** Shows an image where another is, of which nothing stays. */
  replaceWithoutRemap(
    submount: Submount,
    pinned: PinnedImage,
  ): { instance: ImageInstance; gone: readonly ImageInstance[]; entries: readonly EntryChange[] } {
    const { names } = submount;
    const { parent } = shownAt(submount).placed;
    const gone = submount.instances.splice(0);
    submount.since = new Date();
    const root = rootIn(this.slots.freeSlot(names.length === 0), names, pinned);
    const entries = names.length === 0 ? [] : this.tree.lead(names, nodeOf(root));
    return { instance: this.attach(submount, pinned, { ...root, parent }, undefined), gone, entries };
  }

  /** For a process that goes on with the session. @param isCounted false: nothing was counted yet */
  state(isCounted: boolean): ImagesState {
    const { slots, tree, serial } = this;
    return imagesState({ slots, tree, serial, shown: this.shown.values() }, isCounted);
  }

  /**
   * Goes on with the images of another process, before anything else.
   *
   * @param reopened one of its images; undefined: it cannot be opened, and those that go together with it are given up
   * @returns images that are not shown any more, by groups that go together
   */
  restore(
    state: ImagesState,
    reopened: (image: ImageState) => PinnedImage | undefined,
  ): (readonly ImageInstance[])[] {
    const submounts = state.places.map(({ names, since, counts }): Submount => {
      const submount = newSubmount(names, this.threads);
      submount.since = new Date(since);
      putCounts(countersOf(submount.counters, this.threads), counts);
      return submount;
    });
    putCounts(countersOf(this.slots.session, this.threads), state.counts);
    for (const slot of state.burnt) this.slots.retireSlot(slot);
    this.tree.restore(state.entries.map(entryOf), state);
    this.serial = state.serial;
    return groupsOf(state.images).flatMap((group) => {
      const pinned = group.map(reopened);
      const submount = submounts[group[0].place];
      if (pinned.every((each) => each !== undefined)) return this.restoreGroup(group, pinned, submount);
      // The kernel knows nodes of theirs, which must never become another image's.
      for (const { slot } of group) this.slots.retireSlot(slot);
      return [];
    });
  }

  private restoreGroup(
    group: readonly ImageState[],
    pinned: readonly PinnedImage[],
    submount: Submount,
  ): (readonly ImageInstance[])[] {
    group.forEach(({ slot, serial, rootNode, rootIno, parent, isSuccessor, isPushed }, i) => {
      const { rootNid } = pinned[i].image.handle;
      const placement = isSuccessor
        ? remapOnto(submount, pinned[i], slot).placement
        : { slot, rootNid, rootNode, rootIno, parent };
      const how = { tracing: undefined, push: isPushed && this.push, isRestored: true };
      this.add(
        newInstance(submount, pinned[i], { ...how, placed: { ...placement, serial }, limit: this.limit }),
      );
    });
    if (group.at(-1)?.isShown !== true) return [submount.instances.splice(0)];
    this.shown.set(mountPath(submount.names), submount);
    return [];
  }

  /** All there is, for a worker that is started later. */
  snapshot(): Change {
    const all = this.slots.all();
    return this.change({ placed: all, entries: this.tree.all(), remapped: all });
  }

  /** What is new, as a worker takes it in. */
  change({ placed = [], entries = [], remapped = [], freed = [] }: Delta): Change {
    const root = this.shown.get("/");
    const remaps = remapped.flatMap(({ placed: { slot }, remap }) =>
      remap === undefined ? [] : [{ slot, to: remap.buffer as SharedArrayBuffer }],
    );
    const rootSlot = root && shownAt(root).placed.slot;
    return {
      tree: { rootSlot, placed: placed.map((each) => each.placed), entries, remaps, freed },
      images: placed.map(({ shared }) => shared),
    };
  }

  private check(names: readonly string[]): void {
    const path = mountPath(names);
    const isBelow = names.length > 0 && this.shown.has("/");
    const obstacle = isBelow ? "above" : this.shown.has(path) ? "taken" : this.tree.obstacleAt(names);
    if (obstacle !== undefined) throw new MountObstacle(path, obstacle);
  }

  private attach(
    submount: Submount,
    pinned: PinnedImage,
    placement: Omit<ImagePlacement, "serial">,
    tracing: Tracing | undefined,
  ): ImageInstance {
    const { push, limit } = this;
    const placed = { ...placement, serial: this.serial++ };
    return this.add(newInstance(submount, pinned, { placed, limit, push, tracing, isRestored: false }));
  }

  private add(instance: ImageInstance): ImageInstance {
    instance.submount.instances.push(instance);
    this.slots.add(instance);
    return instance;
  }
}

const AT_ROOT: { parent: number; entries: readonly EntryChange[] } = { parent: ROOT_NODE, entries: [] };

type Root = Omit<ImagePlacement, "serial" | "parent">;

function rootIn(slot: number, names: readonly string[], { image }: PinnedImage): Root {
  const { rootNid } = image.handle;
  const rootNode = names.length === 0 ? ROOT_NODE : nodeIn(slot, ROOT_NODE);
  return { slot, rootNid, rootNode, rootIno: nodeIn(slot, rootNid) };
}

const nodeOf = ({ rootNode, rootIno }: Root): { node: number; ino: number } => ({
  node: rootNode,
  ino: rootIno,
});
