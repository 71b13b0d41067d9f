import { fit8, put16, put32, put48 } from "../bytes/fit.ts";
import { POWER, TWO_32 } from "../bytes/u64.ts";
import { inodeBytes, inodeChunkFormat, inodeXattrBytes, NULL_BLOCK } from "./inode.ts";

/**
 * Chunk-based files: the low u16 of `i_u` is a format, and an array of start blocks follows the inode's
 * xattrs. Source: linux/fs/erofs/erofs_fs.h, linux/fs/erofs/data.c (erofs_map_blocks).
 */
export const CHUNK_BITS = 0x1f; //     chunk size is block size << this
export const CHUNK_INDEXES = 0x20; //  8-byte entries with a device; else 4-byte blocks on device 0
export const CHUNK_48BIT = 0x40; //    entries have 16 high block bits
/** Bytes of an 8-byte entry; it is also what such an array is aligned to. */
export const CHUNK_INDEX_SIZE = 8;
const BLOCK_MAP_SIZE = 4;
export const CHUNK_KNOWN = CHUNK_BITS | CHUNK_INDEXES | CHUNK_48BIT;

/** A hole where blocks have 48 bits. */
const NULL_WIDE_BLOCK = 2 ** 48 - 1;

const BLOCK_HI = 0; // u16
const DEVICE = 2; //   u16  masked: nydus keeps bits of a chunk number in the high byte
const BLOCK_LO = 4; // u32

/** Bytes of a chunk: a power of two of at most 12 + 31 bits, all of which the table has. */
export const chunkSizeOf = (v: DataView, at: number, blockBits: number) =>
  POWER[blockBits + (inodeChunkFormat(v, at) & CHUNK_BITS)] as number;

/** Bytes of one array entry. */
export const chunkEntrySize = (v: DataView, at: number) =>
  inodeChunkFormat(v, at) & CHUNK_INDEXES ? CHUNK_INDEX_SIZE : BLOCK_MAP_SIZE;

/** Byte offset of entry 0: behind inode and xattrs, aligned to its own size. */
export function chunkArrayAt(v: DataView, at: number): number {
  const unit = chunkEntrySize(v, at);
  const end = at + inodeBytes(v, at) + inodeXattrBytes(v, at);
  // Not `(end + unit - 1) & -unit`: that is negative from 2 GiB on.
  return end + (-end & (unit - 1));
}

/** Start block of the entry at `entry`, or -1 for a hole. */
export function chunkBlock(v: DataView, entry: number, format: number): number {
  if (!(format & CHUNK_INDEXES)) {
    const block = v.getUint32(entry, true);
    return block === NULL_BLOCK ? -1 : block;
  }
  const low = v.getUint32(entry + BLOCK_LO, true);
  if (!(format & CHUNK_48BIT)) return low === NULL_BLOCK ? -1 : low;
  const high = v.getUint16(entry + BLOCK_HI, true);
  return low === NULL_BLOCK && high === 0xffff ? -1 : low + high * TWO_32;
}

/** Device of the entry at `entry`: 0 is the unified space, i is device slot i - 1. */
export const chunkDevice = (v: DataView, entry: number, format: number, mask: number): number =>
  format & CHUNK_INDEXES ? v.getUint16(entry + DEVICE, true) & mask : 0;

/** The running number that `putChunkIndex` keeps in an 8-byte entry. */
export const chunkNumber = (v: DataView, entry: number): number =>
  v.getUint16(entry + BLOCK_HI, true) + ((v.getUint16(entry + DEVICE, true) >> 8) << 16);

/** What the number of a chunk must be below: it has 24 bits. */
export const MAX_CHUNK_NUMBER = 2 ** 24;

/**
 * Writes an 8-byte index. nydus keeps a running number of the chunk where the kernel does not look: its low bits in
 * place of the high block bits, the rest above the device id, which the kernel masks.
 *
 * @param block below NULL_BLOCK, or -1 for a hole
 */
export function putChunkIndex(v: DataView, at: number, block: number, device: number, chunk: number): void {
  put16(v, at + BLOCK_HI, chunk & 0xffff);
  put16(v, at + DEVICE, fit8(device) | (fit8(chunk >>> 16) << 8));
  put32(v, at + BLOCK_LO, block < 0 ? NULL_BLOCK : block);
}

/** Writes an 8-byte index of a file with CHUNK_48BIT. @param block -1 for a hole */
export function putWideChunkIndex(v: DataView, at: number, block: number, device: number): void {
  put48(v, at + BLOCK_LO, at + BLOCK_HI, block < 0 ? NULL_WIDE_BLOCK : block);
  put16(v, at + DEVICE, fit8(device));
}

/**
 * Writes where an entry of either form points, keeping the form: a block of device 0.
 *
 * @param format of its file
 * @param block not of a hole
 */
export function putChunkBlock(v: DataView, entry: number, format: number, block: number): void {
  if (!(format & CHUNK_INDEXES)) put32(v, entry, block);
  else if (format & CHUNK_48BIT) putWideChunkIndex(v, entry, block, 0);
  else putChunkIndex(v, entry, block, 0, 0);
}
