import { alignUp } from "../bytes/u64.ts";
import { type Extent, HOLE, type Image } from "../erofs/image.ts";
import { inodeSize } from "../erofs/inode.ts";

/** Data of a file without a hole of a block, which may be moved, but not be taken apart. */
export interface DataPart {
  /** Byte of the file, and how many of them. */
  readonly offset: number;
  length: number;
  readonly runs: PartRun[];
}

/** Bytes of a part that come from one place. */
export interface PartRun {
  /** Byte of the part. */
  readonly offset: number;
  readonly length: number;
  /** As an extent's device: 0 is the image file, INLINE its memory, i the device slot i - 1. */
  readonly device: number;
  readonly address: number;
}

/**
 * The data of a file in parts that begin and end with blocks.
 *
 * @param at byte of its inode
 * @param isSayable whether an image can say that a file has these parts and holes between them; else it is one part
 */
export function partsOf(
  image: Image,
  at: number,
  blockSize: number,
  isSayable: (parts: readonly DataPart[], size: number) => boolean,
): readonly DataPart[] {
  const size = inodeSize(image.v, at);
  const parts: DataPart[] = [];
  const whole: DataPart = { offset: 0, length: size, runs: [] };
  const extent: Extent = { device: 0, address: 0, length: 0 };
  for (let done = 0; done < size; done += extent.length) {
    image.extent(at, done, size, extent);
    if (extent.device === HOLE) continue;
    const { device, address, length } = extent;
    let part = parts.at(-1);
    if (part === undefined || done >= part.offset + part.length) {
      part = { offset: done - (done % blockSize), length: 0, runs: [] };
      parts.push(part);
    }
    part.length = Math.min(alignUp(done + length, blockSize), size) - part.offset;
    part.runs.push({ offset: done - part.offset, length, device, address });
    whole.runs.push({ offset: done, length, device, address });
  }
  return parts.length === 0 || isSayable(parts, size) ? parts : [whole];
}
