import { CHUNK_INDEX_SIZE, chunkArrayAt, chunkEntrySize, chunkNumber, chunkSizeOf } from "../erofs/chunk.ts";
import { type Extent, HOLE, type Image, INLINE } from "../erofs/image.ts";
import { CHUNK_BASED, inodeLayout } from "../erofs/inode.ts";
import type { Attr } from "../vfs/file-system.ts";

/** A run of a file's bytes and where it lies. */
export interface Run extends Extent {
  /** Byte of the file. */
  readonly offset: number;
}

/**
 * The runs of a regular file, in order.
 *
 * @param most a run is cut after so many bytes: chunks, when it is the chunk size
 */
export function* runsOf(image: Image, { ino, size }: Attr, most = Number.MAX_SAFE_INTEGER): Generator<Run> {
  const at = image.inodeAt(ino);
  for (let offset = 0; offset < size; ) {
    const extent: Extent = { device: 0, address: 0, length: 0 };
    image.extent(at, offset, most, extent);
    const length = Math.min(extent.length, most);
    yield { ...extent, length, offset };
    offset += length;
  }
}

/**
 * Where the first byte of a file lies that is written anywhere.
 *
 * @returns device 0 for the image itself, i for its slot i - 1; undefined for a file without data
 */
export function dataAt(image: Image, attr: Attr): { device: number; address: number } | undefined {
  for (const { device, address } of runsOf(image, attr)) {
    if (device === HOLE) continue;
    return { device: device === INLINE ? 0 : device, address };
  }
  return undefined;
}

/**
 * The number that nydus-image gave to a chunk within its blob.
 *
 * @returns 0 where the image has no entries that hold one
 */
export function numberOfChunk(image: Image, { ino }: Attr, { offset }: Run): number {
  const { v, handle } = image;
  const at = image.inodeAt(ino);
  if (inodeLayout(v, at) !== CHUNK_BASED || chunkEntrySize(v, at) !== CHUNK_INDEX_SIZE) return 0;
  const index = Math.floor(offset / chunkSizeOf(v, at, handle.blockBits));
  return chunkNumber(v, chunkArrayAt(v, at) + CHUNK_INDEX_SIZE * index);
}
