import { BlobFiles } from "../blob/blob-files.ts";
import { isDots } from "../bytes/name.ts";
import { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { Known } from "../fuse/known.ts";
import { invalidateEntry } from "../fuse/notify.ts";
import { newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, slotOf } from "../vfs/node-id.ts";
import { namer, type Resident } from "./submount.ts";

const DT_DIRECTORY = 4;

/**
 * What asks the kernel to forget all that it may know of an image and nobody uses. An image that is not shown any more
 * is out of reach, but who is inside can still look around: what he saw stays in the kernel's cache when he has left,
 * until memory gets short.
 *
 * @param of those whose nodes the kernel may know the image by
 */
export function evictions(resident: Resident, of: readonly Resident[]): Buffer[] {
  const { handle, files } = resident.taken.image;
  const fs = new ImageFileSystem(new Image(handle), new BlobFiles(files, () => {}));
  const nameOf = namer(resident);
  const known = new Map(of.map(({ placed, shared }) => [placed.slot, new Known(shared.known)]));
  const isKnown = (node: number) => known.get(slotOf(node))?.wasTold(localOf(node)) === true;
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
