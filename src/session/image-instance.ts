import { newCounters } from "../counters/counters.ts";
import { newAccounts } from "../counters/file-accounts.ts";
import { forEachNid, nodeCount } from "../erofs/image.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { newNlookup, restoreOutstanding } from "../fuse/nlookup.ts";
import type { ImagePlacement } from "../pseudo/change.ts";
import { newHintBoard } from "../readahead/hint-board.ts";
import { InodeCacheMap } from "../readahead/inode-cache-map.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, nodeIn, slotOf, swapRoot } from "../vfs/node-id.ts";
import type { SharedImage } from "./change.ts";
import { countsFiles } from "./file-records.ts";
import type { PinnedImage } from "./pinned-image.ts";
import type { Tracing } from "./tracing.ts";
import { counterRows, maxWorkers } from "./worker-limits.ts";

/** An image that has a slot: shown, or still known to the kernel after it was replaced or unmounted. */
export interface ImageInstance {
  readonly submount: Submount;
  readonly pinned: PinnedImage;
  readonly placed: ImagePlacement;
  readonly shared: SharedImage;
  /** By node: the node of a newer image that answers for it, once the image was replaced; 0: it still does itself. */
  remap: Float64Array | undefined;
}

/** A path within the mount: the image that is shown there, and those before it that the kernel has not forgotten. */
export interface Submount {
  readonly names: readonly string[];
  /** See counters/counters: of all images that were shown there. */
  readonly counters: SharedArrayBuffer;
  /** The last one is shown. */
  readonly instances: ImageInstance[];
  since: Date;
}

/** What an instance needs beside its image. */
interface InstanceOptions {
  readonly placed: ImagePlacement;
  /** Most workers without overflow workers. */
  readonly limit: number;
  readonly push: boolean;
  readonly tracing: Tracing | undefined;
  /** Another process served it: what the kernel knows of it is unknown. */
  readonly isRestored: boolean;
}

/** Makes what threads share about an image. */
export function newInstance(
  submount: Submount,
  pinned: PinnedImage,
  { placed, limit, push, tracing, isRestored }: InstanceOptions,
): ImageInstance {
  const { image, choice } = pinned;
  const isCounted = countsFiles(choice.records);
  const nodes = nodeCount(image.handle);
  const inodes = new InodeCacheMap(nodes);
  const nlookup = newNlookup(maxWorkers(limit));
  if (isRestored) {
    const { rootNid } = image.handle;
    forEachNid(image.handle, (nid) => inodes.noteTakeover(swapRoot(nid, rootNid)));
    restoreOutstanding(nlookup, undefined);
  }
  const shared: SharedImage = {
    slot: placed.slot,
    handle: image.handle,
    files: image.files,
    failedBlobs: new SharedArrayBuffer(image.files.length),
    counters: submount.counters,
    inodes: inodes.shared,
    nlookup,
    // An image with node ids of older images is not pushed: its files are not found by their number.
    // What is pushed is not asked for, and could be neither counted nor traced.
    board:
      push && !isCounted && tracing === undefined && placed.replacement === undefined
        ? newHintBoard(nodes)
        : undefined,
    trace: tracing?.logs,
    accounts: isCounted ? Array.from({ length: counterRows(limit) }, () => newAccounts(nodes)) : undefined,
  };
  return { submount, pinned, placed, shared, remap: undefined };
}

/** @param threads that count */
export const newSubmount = (names: readonly string[], threads: number): Submount => ({
  names,
  counters: newCounters(threads + 1), // the last row is that of processes that served before
  instances: [],
  since: new Date(),
});

/** The image that is shown. */
export function shownAt({ instances }: Submount): ImageInstance {
  const last = instances.at(-1);
  if (last === undefined) throw new Error("a submount without an image");
  return last;
}

export const imageOf = (instance: ImageInstance): OpenedImage => instance.pinned.image;

/** @returns the node ids by which the kernel knows nodes of the image */
export function nodeIds({ placed }: ImageInstance): (local: number) => number {
  const names = placed.replacement && new Float64Array(placed.replacement.names);
  return (local) => {
    if (local === ROOT_NODE) return placed.rootNode;
    return names?.[local] || nodeIn(placed.slot, local);
  };
}

/** @returns whether the kernel was told of a node id of these images: it may have forgotten it since */
export function toldNodes(instances: readonly ImageInstance[]): (node: number) => boolean {
  const maps = new Map(
    instances.map(({ placed, shared }) => [placed.slot, new InodeCacheMap(shared.inodes)]),
  );
  return (node) => maps.get(slotOf(node))?.wasLookedUp(localOf(node)) === true;
}
