import { metadataOf } from "../fs/open-image.ts";
import { invalidateDirectory, invalidateEntry } from "../fuse/notify.ts";
import type { EntryChange } from "../pseudo/change.ts";
import { forEachBelow, nameOf } from "../vfs/entries.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { type ImageInstance, namer, toldOf } from "./image-instance.ts";

/**
 * What asks the kernel to forget all that it may know of an image and nobody uses. An image that is not shown any more
 * is out of reach, but who is inside can still look around: what he saw stays in the kernel's cache when he has left,
 * until memory gets short.
 *
 * @param of those whose nodes the kernel may know the image by
 */
export function evictions(instance: ImageInstance, of: readonly ImageInstance[]): Buffer[] {
  const fs = metadataOf(instance.pinned.image);
  const kernelNode = namer(instance);
  const isKnown = toldOf(of);
  const messages: Buffer[] = [];
  forEachBelow(fs, ROOT_NODE, (entry, directory) => {
    if (entry.node === 0 || !isKnown(kernelNode(entry.node))) return false;
    const parent = kernelNode(directory);
    // Names in the session's root are those of the image that is there now.
    if (parent !== ROOT_NODE) messages.push(invalidateEntry(parent, nameOf(entry)));
    return true;
  });
  return messages;
}

/** Names of virtual directories that lead elsewhere. */
export const entryInvalidations = (entries: readonly EntryChange[]): Buffer[] =>
  entries.flatMap(({ directory, name }) => [
    invalidateEntry(directory, name),
    invalidateDirectory(directory),
  ]);

/** Names of the session's root that may lead elsewhere, and the root itself is another. */
export const rootInvalidations = (names: readonly Uint8Array[]): Buffer[] => [
  ...names.map((name) => invalidateEntry(ROOT_NODE, name)),
  invalidateDirectory(ROOT_NODE),
];
