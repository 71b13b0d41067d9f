import { nodeCount } from "../erofs/image.ts";
import type { OpenedImage } from "../fs/open-image.ts";
import { newHintBoard } from "../readahead/hint-board.ts";
import { InodeCacheMap } from "../readahead/inode-cache-map.ts";
import { newNlookup, restoreOutstanding } from "../fuse/nlookup.ts";
import { newCounters } from "../counters/counters.ts";
import { newAccounts } from "../counters/file-accounts.ts";
import type { EntryChange, Placed } from "../pseudo/change.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, nodeIn, slotOf } from "../vfs/node-id.ts";
import type { SharedImage } from "./change.ts";
import { countsFiles } from "./file-records.ts";
import { maxWorkers, counterRows } from "./worker-pool.ts";
import type { PinnedImage } from "./pinned-image.ts";
import type { Tracing } from "./tracing.ts";

/** An image that has a slot: shown, or still known to the kernel after another took its place. */
export interface ImageInstance {
  readonly submount: Submount;
  readonly pinned: PinnedImage;
  readonly placed: Placed;
  readonly shared: SharedImage;
  /** By node: who answers from now on, once another image took its place. */
  remap: Float64Array | undefined;
}

/** A place where an image is shown, and those that were shown there before and are not forgotten. */
export interface Submount {
  readonly names: readonly string[];
  /** See metrics/counters: of all that were shown there. */
  readonly counters: SharedArrayBuffer;
  /** The one that is shown is the last. */
  readonly instances: ImageInstance[];
  since: Date;
}

/** What is new in a change. */
export interface Delta {
  readonly placed?: readonly ImageInstance[];
  readonly entries?: readonly EntryChange[];
  readonly remapped?: readonly ImageInstance[];
  readonly freed?: readonly number[];
}

/** What a instance needs beside its image. */
interface InstanceOptions {
  readonly placed: Placed;
  /** Workers without spare ones. */
  readonly limit: number;
  readonly push: boolean;
  readonly tracing: Tracing | undefined;
  /** Another process served it. */
  readonly isInherited: boolean;
}

/** Makes what threads share about an image. */
export function newInstance(
  submount: Submount,
  pinned: PinnedImage,
  { placed, limit, push, tracing, isInherited }: InstanceOptions,
): ImageInstance {
  const { image, choice } = pinned;
  const isCounted = countsFiles(choice.records);
  const nodes = nodeCount(image.handle);
  const inodes = new InodeCacheMap(nodes);
  const nlookup = newNlookup(maxWorkers(limit));
  if (isInherited) {
    inodes.noteTakeover();
    restoreOutstanding(nlookup, undefined);
  }
  const shared: SharedImage = {
    slot: placed.slot,
    handle: image.handle,
    files: image.files,
    lost: new SharedArrayBuffer(image.files.length),
    counters: submount.counters,
    inodes: inodes.shared,
    nlookup,
    // One whose nodes have names of older images is not pushed: its files are not found by their number.
    // What is pushed is not asked for, and could be neither counted nor traced.
    board:
      push && !isCounted && tracing === undefined && placed.succession === undefined
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
  counters: newCounters(threads + 1), // the last one's: processes that served before
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

/** @returns what the kernel calls nodes of the image that is shown */
export function namer({ placed }: ImageInstance): (local: number) => number {
  const names = placed.succession && new Float64Array(placed.succession.names);
  return (local) => {
    if (local === ROOT_NODE) return placed.rootNode;
    return names?.[local] || nodeIn(placed.slot, local);
  };
}

/** @returns whether the kernel was told of a node by the name of any of these images: it may have forgotten it since */
export function toldOf(instances: readonly ImageInstance[]): (node: number) => boolean {
  const maps = new Map(
    instances.map(({ placed, shared }) => [placed.slot, new InodeCacheMap(shared.inodes)]),
  );
  return (node) => maps.get(slotOf(node))?.wasLookedUp(localOf(node)) === true;
}
