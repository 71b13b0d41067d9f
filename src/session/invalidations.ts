import { isDots } from "../bytes/name.ts";
import { metadataOf } from "../fs/metadata.ts";
import { invalidateDirectory, invalidateEntry } from "../fuse/notify.ts";
import type { EntryChange } from "../pseudo/change.ts";
import { newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import { namer, type ImageInstance, toldOf } from "./image-instance.ts";

const DT_DIRECTORY = 4;

/**
 * What asks the kernel to forget all that it may know of an image and nobody uses. An image that is not shown any more
 * is out of reach, but who is inside can still look around: what he saw stays in the kernel's cache when he has left,
 * until memory gets short.
 *
 * @param of those whose nodes the kernel may know the image by
 */
export function evictions(instance: ImageInstance, of: readonly ImageInstance[]): Buffer[] {
  const fs = metadataOf(instance.pinned.image);
  const nameOf = namer(instance);
  const isKnown = toldOf(of);
  const messages: Buffer[] = [];
  const directories = [ROOT_NODE];
  for (let at = 0; at < directories.length; at++) {
    const entry = newEntry();
    const parent = nameOf(directories[at]);
    for (let more = fs.entry(directories[at], 0, entry); more === 1; more = fs.nextEntry(entry)) {
      const { node, type, bytes, nameAt, nameLength } = entry;
      if (node === 0 || isDots(bytes, nameAt, nameLength) || !isKnown(nameOf(node))) continue;
      // Names in the session's root are those of who is there now.
      if (parent !== ROOT_NODE)
        messages.push(invalidateEntry(parent, bytes.slice(nameAt, nameAt + nameLength)));
      if (type === DT_DIRECTORY) directories.push(node);
    }
  }
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
