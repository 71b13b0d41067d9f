import { metadataOf } from "../fs/open-image.ts";
import { invalidateDirectory, invalidateEntry } from "../fuse/notify.ts";
import type { EntryChange } from "../pseudo/change.ts";
import { forEachBelow, nameOf } from "../vfs/entries.ts";
import { ROOT_NODE } from "../vfs/file-system.ts";
import { type ImageInstance, nodeIds, toldNodes } from "./image-instance.ts";

/**
 * Messages that have the kernel forget all that it may know of an image and is not in use. An image that is not shown any
 * more is out of reach, but a caller that is inside can still look around: what it saw stays in the kernel's cache when it
 * has left, until memory gets short.
 *
 * @param of images whose node ids the kernel may know it by
 */
export function evictions(instance: ImageInstance, of: readonly ImageInstance[]): Buffer[] {
  const fs = metadataOf(instance.pinned.image);
  const kernelNode = nodeIds(instance);
  const isKnown = toldNodes(of);
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
