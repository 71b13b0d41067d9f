import { nodeCount } from "../erofs/image.ts";
import { type Comparison, compareImages } from "../fs/compare-images.ts";
import { expireEntry, invalidateDirectory, invalidateEntry } from "../fuse/notify.ts";
import type { Placed, Succession } from "../pseudo/change.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, nodeIn, slotOf } from "../vfs/node-id.ts";
import { imageOf, namer, type Resident, type Submount, shownAt, toldOf } from "./submount.ts";
import type { TakenImage } from "./take.ts";

/** What an image that takes another's place goes on from. */
interface Replacement {
  /** By node of the new image: what the kernel calls it already. */
  readonly names: Float64Array;
  /** For each image that was there before: who answers for its nodes now. */
  readonly forwards: ReadonlyMap<Resident, Float64Array>;
  /** Only for what the kernel may know when it is called. */
  readonly notifications: () => Buffer[];
  /** By node of the new image: the node of the one that was shown which it goes on from. */
  readonly before: Uint32Array;
}

/**
 * What has to happen for an image to take the place of the one that is shown, under the feet of its readers: what did
 * not change keeps its node, pages and all; open files that did are read from the old image.
 *
 * @param slot of the new image
 */
function replace({ residents }: Submount, shown: Resident, taken: TakenImage, slot: number): Replacement {
  const comparison = compareImages(imageOf(shown), taken.image);
  const nameOf = namer(shown);
  const names = new Float64Array(new SharedArrayBuffer(8 * nodeCount(taken.image.handle)));
  comparison.before.forEach((older, newer) => {
    if (older !== 0) names[newer] = nameOf(older);
  });
  const forwards = new Map(
    residents.map((resident) => [resident, forwarded(resident, shown.placed.slot, comparison.after, slot)]),
  );
  const known = [...residents];
  const before = new Uint32Array(new SharedArrayBuffer(4 * comparison.before.length));
  before.set(comparison.before);
  return { names, forwards, before, notifications: () => notificationsOf(comparison, known, nameOf) };
}

/** Who answers for nodes of `resident`: those that were answered by the image that is shown may go on. */
function forwarded(resident: Resident, shownSlot: number, after: Uint32Array, slot: number): Float64Array {
  const old = resident.forward;
  const forward = new Float64Array(new SharedArrayBuffer(8 * nodeCount(imageOf(resident).handle)));
  for (let local = 0; local < forward.length; local++) {
    const by = old?.[local] || nodeIn(resident.placed.slot, local);
    const next = slotOf(by) === shownSlot ? after[localOf(by)] : 0;
    forward[local] = next !== 0 ? nodeIn(slot, next) : (old?.[local] ?? 0);
  }
  return forward;
}

function notificationsOf(
  { changed, touched, expired }: Comparison,
  residents: readonly Resident[],
  nameOf: (local: number) => number,
): Buffer[] {
  const wasTold = toldOf(residents);
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

/** Lets an image go on from the one that is shown: readers of that one and of those before it are led on. */
export function succeed(
  submount: Submount,
  taken: TakenImage,
  slot: number,
): { replacement: Replacement; place: Omit<Placed, "serial"> } {
  const shown = shownAt(submount);
  const replacement = replace(submount, shown, taken, slot);
  const { rootNode, rootIno, parent } = shown.placed;
  for (const [resident, forward] of replacement.forwards) resident.forward = forward;
  const succession: Succession = {
    names: replacement.names.buffer as SharedArrayBuffer,
    before: replacement.before.buffer as SharedArrayBuffer,
    previous: shown.placed.slot,
    generation: (shown.placed.succession?.generation ?? 0) + 1,
  };
  const { rootNid } = taken.image.handle;
  return { replacement, place: { slot, rootNid, rootNode, rootIno, parent, succession } };
}
