import { BlobFiles } from "../blob/blob-files.ts";
import { Image } from "../erofs/image.ts";
import { ImageFileSystem } from "../fs/image-file-system.ts";
import { rootOf, walk } from "../fs/walk.ts";
import { Known } from "../fuse/known.ts";
import { invalidateEntry } from "../fuse/notify.ts";
import { localOf, slotOf } from "../vfs/node-id.ts";
import { namer, type Resident } from "./submount.ts";

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
  try {
    for (const { node, parent, name } of walk(fs, rootOf(fs), (directory) => isKnown(nameOf(directory.node))))
      if (node !== parent && isKnown(nameOf(node))) messages.push(invalidateEntry(nameOf(parent), name));
  } catch {} // of a broken image the kernel knows no more than what a walk comes to
  return messages;
}
