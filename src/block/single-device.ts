import { elementAt } from "../bytes/element-at.ts";
import { S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { OperationalError } from "../bytes/errors.ts";
import {
  CHUNK_48BIT,
  chunkArrayAt,
  chunkBlock,
  chunkDevice,
  chunkEntrySize,
  chunkSizeOf,
  putChunkBlock,
} from "../erofs/chunk.ts";
import { deviceMask, type Image, nodeCount } from "../erofs/image.ts";
import {
  CHUNK_BASED,
  inodeChunkFormat,
  inodeLayout,
  inodeMode,
  inodeSize,
  NULL_BLOCK,
} from "../erofs/inode.ts";
import type { ImageTables } from "../erofs/open.ts";
import { SUPER_END, putSingleDevice } from "../erofs/superblock.ts";
import { RAFS_SIZE } from "../erofs/rafs.ts";
import { SLOT_SIZE } from "../erofs/device.ts";
import { FlatDisk, type Run } from "./flat-disk.ts";
import type { Layout } from "./layout.ts";

/** Block numbers that a field of 32 bits can have; all ones are a hole. */
const MAX_BLOCK = NULL_BLOCK - 1;

/**
 * The same disk for kernels that know no device table in one disk: each chunk is addressed in the disk itself, and the
 * image says nothing of devices. What else is in it stays where it is.
 *
 * @param image whose whole tree was checked
 * @throws OperationalError when a block lies behind what the image's fields can name
 */
export function singleDevice(tables: ImageTables, image: Image, { disk, blobs }: Layout): FlatDisk {
  const { sb, devices, meta } = tables;
  const bytes = metadataOf(disk);
  const view = new DataView(bytes.buffer);
  const mask = deviceMask(devices.length);
  /** Of each device, block 0 as the disk counts. */
  const firstBlocks = [0, ...blobs.map(({ at }) => at / sb.blockSize)];
  for (let nid = 0; nid < nodeCount(image.handle); nid++) {
    if (!image.isValid(nid)) continue;
    const at = image.inodeAt(nid);
    if ((inodeMode(view, at) & S_IFMT) !== S_IFREG || inodeLayout(view, at) !== CHUNK_BASED) continue;
    moveChunks(view, at, sb.blockBits, (entry, format) => {
      const block = chunkBlock(view, entry, format);
      if (block < 0) return;
      const moved = block + elementAt(firstBlocks, chunkDevice(view, entry, format, mask));
      if (!(format & CHUNK_48BIT) && moved > MAX_BLOCK)
        throw new OperationalError(
          `${meta.file}: nid ${nid} has data in block ${moved} of the disk, which its image cannot say: want at most ${MAX_BLOCK}`,
        );
      putChunkBlock(view, entry, format, moved);
    });
  }
  if (sb.isRafs) bytes.fill(0, SUPER_END, SUPER_END + RAFS_SIZE);
  bytes.fill(0, sb.devicesAt, sb.devicesAt + devices.length * SLOT_SIZE);
  putSingleDevice(view, disk.size / sb.blockSize, sb.has48bit);
  const runs = disk.runs.map((run): Run => {
    const { at, length, source } = run;
    return "file" in source ? run : { at, length, source: { bytes: bytes.subarray(at, at + length) } };
  });
  return new FlatDisk(disk.size, runs);
}

/**
 * A copy of the bytes that a disk has in memory, each in its place: all that was read of the image. What lies between, which
 * may be gigabytes of data, is never touched and takes no memory; threads share the copy.
 */
function metadataOf({ runs }: FlatDisk): Uint8Array {
  const read = runs.flatMap(({ at, source }) => ("bytes" in source ? [{ at, bytes: source.bytes }] : []));
  const end = read.reduce((most, { at, bytes }) => Math.max(most, at + bytes.length), 0);
  const copy = new Uint8Array(new SharedArrayBuffer(end));
  for (const { at, bytes } of read) copy.set(bytes, at);
  return copy;
}

/** Calls `move` for each entry of a chunk-based file. */
function moveChunks(
  view: DataView,
  at: number,
  blockBits: number,
  move: (entry: number, format: number) => void,
): void {
  const format = inodeChunkFormat(view, at);
  const unit = chunkEntrySize(view, at);
  const count = Math.ceil(inodeSize(view, at) / chunkSizeOf(view, at, blockBits));
  const first = chunkArrayAt(view, at);
  for (let i = 0; i < count; i++) move(first + i * unit, format);
}
