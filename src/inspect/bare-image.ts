import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { elementAt } from "../bytes/element-at.ts";
import { type Extent, HOLE, INLINE } from "../erofs/image.ts";
import { inodeSize } from "../erofs/inode.ts";
import { LayeredImage } from "../layers/layered-image.ts";
import { fileKey, namesByInode, type Side, type SideBlob } from "../layers/side.ts";
import { copyTree } from "../mkfs/copy-tree.ts";
import { type BlobPiece, placeOf } from "../mkfs/tree.ts";
import { blobName, type ImageView, readError } from "./image-view.ts";

const SHA256 = /^[0-9a-f]{64}$/;

/** What an image shows that does not say its layers, in the columns that layers have. Blob 0 is the image itself. */
export function bareImage(view: ImageView): LayeredImage {
  const { image, tables } = view;
  const sparse = new Map<number, readonly BlobPiece[]>();
  // No object a file: there may be millions.
  const files: number[] = [];
  const blobs: number[] = [];
  const wheres: number[] = [];
  const tree = copyTree(image, (inode, at) => {
    const { blob, where, pieces } = placeOf(piecesAt(view, at), inodeSize(image.v, at));
    if (pieces !== undefined) sparse.set(inode, pieces);
    files.push(inode);
    blobs.push(blob);
    wheres.push(where);
  });
  for (const [row, inode] of files.entries()) {
    tree.where[inode] = wheres[row] as number;
    tree.blob[inode] = blobs[row] as number;
  }
  for (const [inode, pieces] of sparse) tree.pieces.set(inode, pieces);
  return new LayeredImage({ tree, blobIds: ["image", ...tables.devices.map((_, i) => blobName(view, i))] });
}

/**
 * The same as one side of a comparison. A blob is known by its file where that is open, else by this image in its directory,
 * where it would be looked for; a sha256 for a name is only claimed.
 *
 * @param view with its blobs, where their bytes are to be compared
 */
export function sideOfBare(view: ImageView, path: string): Side {
  const image = bareImage(view);
  const own = `${fileKey(elementAt(view.files, 0))} in ${realpathSync(dirname(path))}`;
  const blobs = image.blobIds.map((id, i): SideBlob => {
    const file = view.files[i];
    const key = file === undefined ? `${own} ${i}` : fileKey(file);
    return { keys: [key], claim: SHA256.test(id) ? id : undefined };
  });
  const read: Side["read"] = (blob, at, into) => {
    if (view.blobs.read(blob, at, into.length, into, 0) !== into.length) throw readError(view, path);
  };
  return { image, blobs, names: namesByInode(image.tree), read };
}

function piecesAt({ image }: ImageView, at: number): BlobPiece[] {
  const size = inodeSize(image.v, at);
  const extent: Extent = { device: 0, address: 0, length: 0 };
  const pieces: BlobPiece[] = [];
  for (let offset = 0; offset < size; offset += extent.length) {
    image.extent(at, offset, size, extent);
    const { device, address: dataAt, length } = extent;
    if (device === HOLE) continue;
    pieces.push({ offset, length, dataAt, blob: device === INLINE ? 0 : device });
  }
  return pieces;
}
