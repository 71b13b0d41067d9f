import * as errno from "../bytes/errno.ts";
import { FormatError } from "../bytes/errors.ts";
import { type Extent, HOLE, type Image } from "../erofs/image.ts";
import * as inode from "../erofs/inode.ts";
import { readXattrs, xattrArea } from "../erofs/xattr-area.ts";
import type { KeptXattrs } from "./kept-xattrs.ts";
import { type Attributes, type BlobPiece, FLAG, placeOf, type Tree } from "./tree.ts";

/** What has become of a blob of an image. */
export interface BlobLocation {
  /** The tree's number of it. */
  readonly blob: number;
  /** Bytes in front of it, when it is a part of that. */
  readonly shift: number;
}

/** Where inodes are copied to, and which of their xattrs. */
interface InodeCopy {
  readonly tree: Tree;
  readonly xattrs: Pick<KeptXattrs, "of">;
}

/**
 * Copies an inode's attributes, symlink target and the xattrs that are kept into a tree.
 *
 * @param places where the image's blobs are, by device id - 1
 * @returns pieces of a sparse file, undefined for all else
 * @throws FormatError for what a bootstrap cannot say that is made of no other file than tars
 */
export function copyInode(
  image: Image,
  nid: number,
  places: readonly BlobLocation[],
  copy: InodeCopy,
  into: Attributes,
): readonly BlobPiece[] | undefined {
  copyAttributes(image, nid, copy, into);
  if ((into.mode & errno.S_IFMT) !== errno.S_IFREG) return undefined;
  return copyData(image, image.inodeAt(nid), places, into);
}

/** The same, but for where the data of a file lie. */
export function copyAttributes(
  image: Image,
  nid: number,
  { tree, xattrs }: InodeCopy,
  into: Attributes,
): void {
  const { v, handle } = image;
  const at = image.inodeAt(nid);
  const mode = inode.inodeMode(v, at);
  const type = mode & errno.S_IFMT;
  into.mode = mode;
  into.flags = inode.inodeIsImplicit(v, at) ? FLAG.IMPLICIT : 0;
  into.uid = inode.inodeUid(v, at);
  into.gid = inode.inodeGid(v, at);
  into.mtime = inode.inodeMtime(v, at, handle.epoch);
  into.mtimeNsec = inode.inodeMtimeNsec(v, at, handle.fixedNsec);
  into.size = 0;
  into.where = 0;
  into.blob = 0;
  // Never as bytes: ids of shared xattrs and numbers of long prefixes mean something in their own image only.
  const refuse = (problem: string) => fail(image, at, problem);
  const area = xattrArea(xattrs.of(readXattrs(image, at), mode, refuse), refuse);
  into.xattrSize = area.length;
  into.xattrAt = tree.pool.add(area, 0, area.length);
  if (type === errno.S_IFCHR || type === errno.S_IFBLK) into.where = inode.inodeRdev(v, at);
  else if (type === errno.S_IFLNK) copyTarget(image, at, tree, into);
  else if (type === errno.S_IFREG) into.size = inode.inodeSize(v, at);
}

function copyTarget(image: Image, at: number, tree: Tree, into: Attributes): void {
  into.size = inode.inodeSize(image.v, at);
  into.where = tree.pool.reserve(into.size);
  image.copyFlat(at, into.size, tree.pool.bytes, into.where);
}

function copyData(
  image: Image,
  at: number,
  places: readonly BlobLocation[],
  into: Attributes,
): readonly BlobPiece[] | undefined {
  const { size } = into;
  const extent: Extent = { device: 0, address: 0, length: 0 };
  const pieces: BlobPiece[] = [];
  for (let done = 0; done < size; done += extent.length) {
    image.extent(at, done, size, extent);
    if (extent.device === HOLE) continue;
    if (extent.device <= 0) fail(image, at, "its data lies in the image itself, want it in a blob");
    const { blob, shift } = places[extent.device - 1];
    if (shift + extent.address + extent.length > Number.MAX_SAFE_INTEGER)
      fail(
        image,
        at,
        `its data ends at byte ${shift + extent.address + extent.length} of its blob, want below 2^53`,
      );
    pieces.push({ offset: done, length: extent.length, dataAt: shift + extent.address, blob });
  }
  if (size === 0) return undefined;
  const place = placeOf(pieces, size);
  into.where = place.where;
  into.blob = place.blob;
  return place.pieces;
}

function fail({ handle }: Image, at: number, problem: string): never {
  throw new FormatError(problem, { file: handle.file, at });
}
