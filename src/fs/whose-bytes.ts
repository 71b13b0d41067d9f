import { S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { type Extent, type Image, nodeCount } from "../erofs/image.ts";
import { inodeMode, inodeSize } from "../erofs/inode.ts";
import { swapRoot } from "../vfs/node-id.ts";
import type { ImageFileSystem } from "./image-file-system.ts";
import { pathsOf } from "./path-table.ts";

/** Where a blob lies on its disk, bytes. */
interface Place {
  readonly at: number;
  readonly length: number;
}

/**
 * The layer that bytes of a disk belong to, and a file that has them, for people: `blob 2 (9b0c…), /bin/sh`.
 *
 * @param places of the blobs, by device slot
 */
export function whoseBytes(
  image: Image,
  fs: ImageFileSystem,
  places: readonly Place[],
  at: number,
  length: number,
): string {
  const slot = places.findIndex((blob) => at < blob.at + blob.length && at + length > blob.at);
  const id = image.handle.devices[slot]?.id;
  const layer = slot < 0 ? [] : [`blob ${slot + 1}${id ? ` (${id})` : ""}`];
  const nid = fileAt(image, places, at, at + length);
  if (nid !== undefined) {
    const node = swapRoot(nid, image.handle.rootNid);
    return [...layer, pathsOf(fs, new Set([node])).get(node) ?? `nid ${nid}`].join(", ");
  }
  return [...layer, slot < 0 ? "metadata, or between the blobs" : "between its files"].join(", ");
}

/** Places of the blobs of a disk that was flattened. */
export const placesOn = ({ handle: { devices }, blockSize }: Image): Place[] =>
  devices.map(({ unifiedAt, blocks }) => ({ at: unifiedAt, length: blocks * blockSize }));

/** nid of a file that has one of these bytes of the disk. */
function fileAt(image: Image, places: readonly Place[], begin: number, end: number): number | undefined {
  const extent: Extent = { device: 0, address: 0, length: 0 };
  for (let nid = 0; nid < nodeCount(image.handle); nid++) {
    if (!image.isValid(nid)) continue;
    const inode = image.inodeAt(nid);
    if ((inodeMode(image.v, inode) & S_IFMT) !== S_IFREG) continue;
    const size = inodeSize(image.v, inode);
    for (let done = 0; done < size; done += extent.length) {
      image.extent(inode, done, size, extent);
      if (extent.device < 0) continue;
      const from = extent.address + (extent.device === 0 ? 0 : (places[extent.device - 1]?.at ?? 0));
      if (from < end && from + extent.length > begin) return nid;
    }
  }
  return undefined;
}
