import type { HeldFiles } from "../blob/held-files.ts";
import { messageOf } from "../bytes/errors.ts";
import { sumOf } from "../counters/counters.ts";
import { metadataOf, type OpenedImage } from "../fs/open-image.ts";
import { expireEntry } from "../fuse/notify.ts";
import { outstandingOf } from "../fuse/nlookup.ts";
import type { ImageState, ImagesState } from "./snapshot.ts";
import type { Logger } from "../log/log.ts";
import { namesIn } from "../vfs/entries.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import type { Change } from "./change.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type ImageInstance, type Submount, shownAt } from "./image-instance.ts";
import { ImageRelease, type ImageReleaseDeps } from "./image-release.ts";
import type { ImageSlots } from "./image-slots.ts";
import { entryInvalidations, rootInvalidations } from "./invalidations.ts";
import type { PinnedImage } from "./pinned-image.ts";
import type { Publisher } from "./publisher.ts";
import { type Delta, ShownImages } from "./shown-images.ts";
import type { Tracing } from "./tracing.ts";
import type { ImageChanges, ShownImage } from "./transport.ts";

/** Images at one path that were remapped onto one another; the next one replaces them without. */
const MAX_REMAPS = 8;
/** For requests that were begun before a change; a READ from a slow disk does not matter. */
const PATIENCE_MS = 1_000;
/** For the kernel to act upon notifications. */
const NOTIFY_MS = 5_000;

/** What the images of a session have to do with. */
export interface ImageTableDeps {
  /** Most workers without overflow workers. */
  readonly limit: number;
  readonly push: boolean;
  readonly held: HeldFiles;
  readonly publisher: Pick<Publisher, "publish" | "synchronize" | "notify">;
  readonly beforeFree: ImageReleaseDeps["beforeFree"];
  /**
   * Called before workers and kernel learn of a change: what the kernel may be told of, a process that goes on after a
   * crash must know. What it throws, NotWrittenDown, leaves everything as it was.
   */
  readonly beforeChange: () => void;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** The images of one session, and what workers and kernel are told when one is mounted, replaced or unmounted. */
export class ImageTable implements ImageChanges {
  /** All images that have a slot, also those that are not shown any more. */
  readonly slots: ImageSlots;
  private readonly shown: ShownImages;
  private readonly deps: ImageTableDeps;
  private readonly clock: Clock;
  private readonly release: ImageRelease;

  constructor(deps: ImageTableDeps) {
    const { limit, push, held, publisher, beforeFree, log, clock = systemClock } = deps;
    this.deps = deps;
    this.clock = clock;
    this.shown = new ShownImages(limit, push);
    this.slots = this.shown.slots;
    this.release = new ImageRelease({
      ...{ slots: this.slots, held, publisher, beforeFree, clock, log },
      publishFreed: (freed) => this.publishFreed(freed),
    });
  }

  /** In the order in which they were mounted. */
  images(): ShownImage[] {
    return this.shown.list().map(([path, submount]) => ({
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

  /** Blobs of images that are shown whose file cannot give what it promised. */
  failedBlobs(): number {
    const flags = this.shown
      .list()
      .flatMap(([, submount]) => [...new Uint8Array(shownAt(submount).shared.failedBlobs)]);
    return flags.reduce((sum, flag) => sum + flag, 0);
  }

  /** Shows an image before any worker serves: there is nothing yet that the kernel had to forget. @throws MountObstacle */
  mountFirst(names: readonly string[], pinned: PinnedImage, tracing?: Tracing): void {
    this.shown.show(names, pinned, tracing);
  }

  async mount(names: readonly string[], pinned: PinnedImage): Promise<void> {
    const { entries } = this.publish(() => {
      const { instance, entries } = this.shown.show(names, pinned, undefined);
      return { placed: [instance], entries };
    });
    const messages =
      names.length === 0
        ? rootInvalidations(rootNames(pinned.image))
        : entryInvalidations(entries.slice(0, 1));
    await this.patiently(this.deps.publisher.notify(messages));
  }

  /** Callers that are inside stay there. */
  async unmount(names: readonly string[]): Promise<void> {
    const { number, gone, entries } = this.publish(() => this.shown.remove(names));
    const last = gone[gone.length - 1].pinned.image;
    await this.retireAfter(
      number,
      gone,
      names.length === 0 ? rootInvalidations(rootNames(last)) : entryInvalidations(entries),
    );
  }

  /** Files that are open are read on as they were. */
  async remount(names: readonly string[], pinned: PinnedImage): Promise<void> {
    const submount = this.shown.at(names);
    if (submount.instances.length >= MAX_REMAPS) return this.replaceWithoutRemap(submount, pinned);
    const old = shownAt(submount);
    const { number, instance, plan } = this.publish(() => {
      const { instance, plan } = this.shown.remap(submount, pinned);
      return { placed: [instance], remapped: [...plan.remaps.keys()], instance, plan };
    });
    old.pinned.prefetching.stop().catch((error: unknown) => this.deps.log.error(messageOf(error)));
    // What the kernel knows is known when no worker answers by the old image any more.
    await this.deps.publisher.synchronize(number, PATIENCE_MS);
    // The mountpoint itself leads to a root that may have other attributes.
    const name = names.at(-1);
    const here = name === undefined ? [] : [expireEntry(instance.placed.parent, Buffer.from(name))];
    await this.patiently(this.deps.publisher.notify([...here, ...plan.notifications()]));
  }

  /** For a process that goes on with the session. @param isCounted false: nothing was counted yet */
  state = (isCounted: boolean): ImagesState => this.shown.state(isCounted);

  /** Goes on with the images of another process, before anything else. See `ShownImages.restore`. */
  restore(state: ImagesState, reopened: (image: ImageState) => PinnedImage | undefined): void {
    for (const instances of this.shown.restore(state, reopened)) this.release.retire(instances);
  }

  /** Outstanding lookups of each image of which they are known, by serial; when no worker serves any more. */
  knownLookups(): [serial: number, lookups: number][] {
    return this.slots.all().flatMap(({ placed, shared }): [number, number][] => {
      const outstanding = outstandingOf(shared.nlookup);
      return outstanding === undefined ? [] : [[placed.serial, outstanding]];
    });
  }

  /** @param lookups outstanding when another process stopped serving the images, by serial, as far as it knew them */
  restoreLookups = (lookups: ReadonlyMap<number, number>): void => this.release.restoreLookups(lookups);

  /** All there is, for a worker that is started later. */
  snapshot = (): Change => this.shown.snapshot();

  /** Resolves when nothing is prefetched any more. */
  async close(): Promise<void> {
    this.release.close();
    await Promise.all(this.slots.all().map(({ pinned }) => pinned.prefetching.stop()));
  }

  private async replaceWithoutRemap(submount: Submount, pinned: PinnedImage): Promise<void> {
    const old = shownAt(submount).pinned.image;
    const { number, gone, entries } = this.publish(() => {
      const { instance, gone, entries } = this.shown.replaceWithoutRemap(submount, pinned);
      return { placed: [instance], gone, entries };
    });
    const names = [...rootNames(old), ...rootNames(pinned.image)];
    await this.retireAfter(
      number,
      gone,
      submount.names.length === 0 ? rootInvalidations(names) : entryInvalidations(entries),
    );
  }

  /** Makes a change, writes it down, and has workers learn of it. @throws what `make` or writing throws: nothing has changed then */
  private publish<T extends Delta>(make: () => T): T & { number: number } {
    const undo = this.shown.checkpoint();
    let made: T;
    try {
      made = make();
      this.deps.beforeChange();
    } catch (error) {
      undo();
      throw error;
    }
    return { ...made, number: this.deps.publisher.publish(this.shown.change(made)) };
  }

  private publishFreed(freed: readonly number[]): number {
    try {
      this.deps.beforeChange();
    } catch {} // the images have their slots still on disk, and no other gets those without being written down
    return this.deps.publisher.publish(this.shown.change({ freed }));
  }

  /**
   * Tells the kernel that images are gone. They wait for their release from when no worker can lead the kernel to them
   * any more: before that it might forget them, and be told of them again.
   */
  private async retireAfter(
    number: number,
    instances: readonly ImageInstance[],
    messages: readonly Buffer[],
  ): Promise<void> {
    const { publisher, log } = this.deps;
    const told = publisher.notify(messages);
    Promise.all([told, publisher.synchronize(number)])
      .then(() => this.release.retire(instances))
      .catch((error: unknown) => log.error(`an image stays in memory: ${messageOf(error)}`));
    await this.patiently(told);
  }

  /** A caller may hold a directory for long: then the kernel acts when it lets go, and mounting does not wait for that. */
  private async patiently(told: Promise<void>): Promise<void> {
    let cancel = () => {};
    const enough = new Promise<void>((resolve) => {
      cancel = this.clock.after(NOTIFY_MS, resolve);
    });
    await Promise.race([told, enough]).finally(() => cancel());
  }
}

const rootNames = (image: OpenedImage): Uint8Array[] => namesIn(metadataOf(image), ROOT_NODE);
