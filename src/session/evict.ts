import { isDots } from "../bytes/name.ts";
import { metadataOf } from "../fs/metadata.ts";
import { invalidateEntry } from "../fuse/notify.ts";
import { newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import { namer, type Resident, toldOf } from "./submount.ts";

const DT_DIRECTORY = 4;

/**
 * What asks the kernel to forget all that it may know of an image and nobody uses. An image that is not shown any more
 * is out of reach, but who is inside can still look around: what he saw stays in the kernel's cache when he has left,
 * until memory gets short.
 *
 * @param of those whose nodes the kernel may know the image by
 */
export function evictions(resident: Resident, of: readonly Resident[]): Buffer[] {
  const fs = metadataOf(resident.taken.image);
  const nameOf = namer(resident);
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
