import { forEachNid, type ImageHandle, nodeCount } from "../erofs/image.ts";
import { type Comparison, compareImages } from "../fs/compare-images.ts";
import { expireEntry, invalidateDirectory, invalidateEntry } from "../fuse/notify.ts";
import type { ImagePlacement, Replacement } from "../pseudo/change.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, nodeIn, slotOf, swapRoot } from "../vfs/node-id.ts";
import { type ImageInstance, imageOf, nodeIds, type Submount, shownAt, toldNodes } from "./image-instance.ts";
import type { PinnedImage } from "./pinned-image.ts";

/** How an image replaces the one that is shown, node by node. */
export interface RemapPlan {
  /** By node of the new image: the node id by which the kernel knows it already. */
  readonly names: Float64Array;
  /** For each image that was there before, by node: the node that answers for it now. */
  readonly remaps: ReadonlyMap<ImageInstance, Float64Array>;
  /** Only for what the kernel may know when it is called. */
  readonly notifications: () => Buffer[];
  /** By node of the new image: the node of the one that was shown which it goes on from. */
  readonly before: Uint32Array;
}

/**
 * Plans an in-place remount: what did not change keeps its node id, and with it the pages that the kernel has; open files
 * that did change are read from the old image.
 *
 * @param slot of the new image
 */
function planRemap(
  { instances }: Submount,
  shown: ImageInstance,
  pinned: PinnedImage,
  slot: number,
): RemapPlan {
  const comparison = compareImages(imageOf(shown), pinned.image);
  const nameOf = nodeIds(shown);
  const { handle } = pinned.image;
  const names = new Float64Array(new SharedArrayBuffer(8 * nodeCount(handle)));
  forEachNode(handle, (newer) => {
    const older = comparison.before[newer];
    if (older !== 0) names[newer] = nameOf(older);
  });
  const remaps = new Map(
    instances.map((instance) => [instance, remapOf(instance, shown.placed.slot, comparison.after, slot)]),
  );
  const known = [...instances];
  return {
    names,
    remaps,
    before: comparison.before,
    notifications: () => notificationsOf(comparison, known, nameOf),
  };
}

/** The nodes that answer for those of `instance`: the new image goes on with nodes of the one that is shown. */
function remapOf(instance: ImageInstance, shownSlot: number, after: Uint32Array, slot: number): Float64Array {
  const old = instance.remap;
  const { handle } = imageOf(instance);
  const remap = new Float64Array(new SharedArrayBuffer(8 * nodeCount(handle)));
  forEachNode(handle, (local) => {
    const by = old?.[local] || nodeIn(instance.placed.slot, local);
    const next = slotOf(by) === shownSlot ? after[localOf(by)] : 0;
    const now = next !== 0 ? nodeIn(slot, next) : (old?.[local] ?? 0);
    if (now !== 0) remap[local] = now;
  });
  return remap;
}

/** What is not written of a table takes no memory. */
const forEachNode = (handle: ImageHandle, found: (node: number) => void): void =>
  forEachNid(handle, (nid) => found(swapRoot(nid, handle.rootNid)));

function notificationsOf(
  { changed, touched, expired }: Comparison,
  instances: readonly ImageInstance[],
  nameOf: (local: number) => number,
): Buffer[] {
  const wasTold = toldNodes(instances);
  const isKnown = (node: number) => node === ROOT_NODE || wasTold(node);
  const messages: Buffer[] = [];
  const directories = new Set(touched);
  for (const { directory, name } of changed) {
    const parent = nameOf(directory);
    if (isKnown(parent)) messages.push(invalidateEntry(parent, name));
    directories.add(directory);
  }
  for (const { directory, name } of expired) {
    const parent = nameOf(directory);
    if (isKnown(parent)) messages.push(expireEntry(parent, name));
  }
  for (const directory of directories) {
    const node = nameOf(directory);
    if (isKnown(node)) messages.push(invalidateDirectory(node));
  }
  return messages;
}

/** Has an image go on with the nodes of the one that is shown, and of those before it. */
export function remapOnto(
  submount: Submount,
  pinned: PinnedImage,
  slot: number,
): { plan: RemapPlan; placement: Omit<ImagePlacement, "serial"> } {
  const shown = shownAt(submount);
  const plan = planRemap(submount, shown, pinned, slot);
  const { rootNode, rootIno, parent } = shown.placed;
  for (const [instance, remap] of plan.remaps) instance.remap = remap;
  const replacement: Replacement = {
    names: plan.names.buffer as SharedArrayBuffer,
    before: plan.before.buffer as SharedArrayBuffer,
    previous: shown.placed.slot,
    generation: (shown.placed.replacement?.generation ?? 0) + 1,
  };
  const { rootNid } = pinned.image.handle;
  return { plan, placement: { slot, rootNid, rootNode, rootIno, parent, replacement } };
}
