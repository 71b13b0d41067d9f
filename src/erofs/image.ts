import { compareBytes } from "../bytes/name.ts";
import { Bits } from "./bits.ts";
import { chunkArrayAt, chunkBlock, chunkDevice, chunkEntrySize, chunkSizeOf } from "./chunk.ts";
import { type AddressSpace, addressOn, addressSpace, type Device, deviceAt, deviceSlot } from "./device.ts";
import { DIRENT_SIZE, direntCount, direntNameOff, direntNid, nameLength } from "./dirent.ts";
import * as inode from "./inode.ts";
import type { Prefixes } from "./xattr.ts";

/** Where a run of file bytes lives. */
export interface Extent {
  /** 0 is the image file, i is device slot i - 1, HOLE is nowhere (zeros), INLINE is the image's memory. */
  device: number;
  /** Byte address on the device. */
  address: number;
  /** Bytes from there on that belong to the run. */
  length: number;
}

export const HOLE = -1;
export const INLINE = -2;

/** Everything about an opened image that another thread needs to serve it; survives a structured clone. */
export interface ImageHandle {
  readonly file: string;
  readonly shared: SharedArrayBuffer;
  /** A bit a nid: whether its inode passed the check. */
  readonly valid: SharedArrayBuffer;
  readonly blockBits: number;
  readonly rootNid: number;
  readonly metaAt: number;
  readonly xattrAt: number;
  readonly epoch: number;
  readonly fixedNsec: number;
  readonly devices: readonly Device[];
  /** Blobs are part of the image file itself, at their unified addresses. */
  readonly isFlat: boolean;
  readonly prefixes: Prefixes;
  readonly hasXattrs: boolean;
  readonly hasAcls: boolean;
  /** Blocks of the image and all its devices, as `statfs` of the kernel's EROFS counts them. */
  readonly totalBlocks: number;
  readonly inos: number;
}

/** FUSE's root: as a node it changes places with the nid of the root. */
const ROOT_NODE = 1;
const ends = new WeakMap<SharedArrayBuffer, number>();

/**
 * Nids, and nodes, are below it: tables of them are as long as inodes are there, however long the image says that it is. Of a
 * table only those that `forEachNid` finds are written, so that one inode far behind the others takes no memory.
 */
export function nodeCount({ valid, rootNid }: ImageHandle): number {
  const known = ends.get(valid);
  if (known !== undefined) return known;
  const end = Math.max(lastOf(valid), rootNid, ROOT_NODE) + 1;
  ends.set(valid, end);
  return end;
}

function lastOf(valid: SharedArrayBuffer): number {
  const bytes = new Uint8Array(valid);
  let last = bytes.length - 1;
  while (last >= 0 && bytes[last] === 0) last--;
  return last < 0 ? 0 : 8 * last + 31 - Math.clz32(bytes[last] as number);
}

/** Calls back for each nid that is valid: where there are none, work is a look at a bit each. */
export function forEachNid({ valid }: ImageHandle, found: (nid: number) => void): void {
  const bytes = new Uint8Array(valid);
  const words = new Uint32Array(valid, 0, bytes.length >> 2);
  const look = (byte: number): void => {
    const bits = bytes[byte] as number;
    for (let bit = 0; bits >> bit !== 0; bit++) if (bits & (1 << bit)) found(8 * byte + bit);
  };
  for (let word = 0; word < words.length; word++)
    if (words[word] !== 0) for (let byte = 4 * word; byte < 4 * word + 4; byte++) look(byte);
  for (let byte = 4 * words.length; byte < bytes.length; byte++) look(byte);
}

/**
 * An image whose whole tree was checked (see `openImage`): bytes read in place, no object per inode, no
 * bounds checks beyond the one that a node is valid.
 */
export class Image {
  readonly v: DataView;
  readonly bytes: Uint8Array;
  readonly handle: ImageHandle;
  readonly blockSize: number;
  private readonly blockBits: number;
  private readonly metaAt: number;
  private readonly valid: Bits;
  private readonly space: AddressSpace;
  private readonly deviceMask: number;

  constructor(handle: ImageHandle) {
    this.handle = handle;
    this.v = new DataView(handle.shared);
    this.bytes = new Uint8Array(handle.shared);
    this.valid = new Bits(handle.valid);
    this.blockBits = handle.blockBits;
    this.blockSize = 1 << handle.blockBits;
    this.metaAt = handle.metaAt;
    this.space = addressSpace(handle.devices, handle.isFlat, this.blockSize);
    this.deviceMask = deviceMask(handle.devices.length);
  }

  inodeAt(nid: number): number {
    return this.metaAt + nid * inode.INODE_SLOT_SIZE;
  }

  isValid(nid: number): boolean {
    return this.valid.has(nid);
  }

  /** Byte offset of block `k` of a directory or symlink: its data lies in the image file. */
  flatBlockAt(at: number, k: number): number {
    return flatBlockAt(this.v, at, k, this.blockBits);
  }

  /**
   * Copies a symlink's target, or the beginning of it.
   *
   * @param at byte offset of the inode
   */
  copyFlat(at: number, size: number, out: Uint8Array, outAt: number): void {
    for (let k = 0; k * this.blockSize < size; k++) {
      const done = k * this.blockSize;
      this.copy(this.flatBlockAt(at, k), Math.min(this.blockSize, size - done), out, outAt + done);
    }
  }

  /** Copies bytes that were checked to lie in the image, without making a view: at most one block. */
  copy(from: number, length: number, out: Uint8Array, at: number): void {
    for (let i = 0; i < length; i++) out[at + i] = this.bytes[from + i] as number;
  }

  /**
   * Finds a name in a directory by binary search, first over blocks, then inside one.
   *
   * @param at byte offset of the directory's inode
   * @returns nid, or 0 when the name is not there
   */
  find(at: number, name: Uint8Array, nameAt: number, length: number): number {
    const { v } = this;
    const size = inode.inodeSize(v, at);
    let low = 0;
    let high = ((size + this.blockSize - 1) >>> this.blockBits) - 1;
    while (low <= high) {
      const k = (low + high) >> 1;
      const block = flatBlockAt(v, at, k, this.blockBits);
      const end = Math.min(this.blockSize, size - k * this.blockSize);
      const count = direntCount(v, block);
      const first = this.compareEntry(block, end, 0, count, name, nameAt, length);
      if (first < 0) high = k - 1;
      else if (first === 0) return direntNid(v, block);
      else {
        const last =
          count === 1 ? first : this.compareEntry(block, end, count - 1, count, name, nameAt, length);
        if (last === 0) return direntNid(v, block + (count - 1) * DIRENT_SIZE);
        if (last < 0) return this.findInBlock(block, end, count, name, nameAt, length);
        low = k + 1;
      }
    }
    return 0;
  }

  private findInBlock(
    block: number,
    end: number,
    count: number,
    name: Uint8Array,
    nameAt: number,
    length: number,
  ): number {
    let low = 1;
    let high = count - 2;
    while (low <= high) {
      const k = (low + high) >> 1;
      const order = this.compareEntry(block, end, k, count, name, nameAt, length);
      if (order === 0) return direntNid(this.v, block + k * DIRENT_SIZE);
      if (order < 0) high = k - 1;
      else low = k + 1;
    }
    return 0;
  }

  /** Sign of `name` against entry `k`. */
  private compareEntry(
    block: number,
    end: number,
    k: number,
    count: number,
    name: Uint8Array,
    nameAt: number,
    length: number,
  ): number {
    const entry = block + direntNameOff(this.v, block + k * DIRENT_SIZE);
    const entryLength = nameLength(this.v, this.bytes, block, end, k, count);
    return compareBytes(name, nameAt, length, this.bytes, entry, entryLength);
  }

  /**
   * The run of bytes that begins at `offset` of a regular file; neighbouring chunks that lie side by side
   * are one run.
   *
   * @param at byte offset of the inode
   * @param offset below the file's size
   * @param wanted stop looking for neighbours once the run has this many bytes
   */
  extent(at: number, offset: number, wanted: number, into: Extent): void {
    if (inode.inodeLayout(this.v, at) === inode.CHUNK_BASED) this.chunkExtent(at, offset, wanted, into);
    else this.flatExtent(at, offset, into);
  }

  private flatExtent(at: number, offset: number, into: Extent): void {
    const { v } = this;
    const size = inode.inodeSize(v, at);
    if (inode.inodeLayout(v, at) === inode.FLAT_INLINE) {
      const tail = tailStart(size, this.blockSize);
      if (offset >= tail) {
        into.device = INLINE;
        into.address = at + inode.inodeBytes(v, at) + inode.inodeXattrBytes(v, at) + (offset - tail);
        into.length = size - offset;
        return;
      }
      into.length = tail - offset;
    } else into.length = size - offset;
    const start = inode.inodeStartBlock(v, at);
    if (start < 0) into.device = HOLE;
    else this.place(0, start * this.blockSize, offset, into);
  }

  private chunkExtent(at: number, offset: number, wanted: number, into: Extent): void {
    const { v } = this;
    const size = inode.inodeSize(v, at);
    const format = inode.inodeChunkFormat(v, at);
    const chunkSize = chunkSizeOf(v, at, this.blockBits);
    const unit = chunkEntrySize(v, at);
    const k = Math.floor(offset / chunkSize);
    let entry = chunkArrayAt(v, at) + k * unit;
    let end = (k + 1) * chunkSize;
    const block = chunkBlock(v, entry, format);
    const device = chunkDevice(v, entry, format, this.deviceMask);
    if (block < 0) into.device = HOLE;
    else this.place(device, block * this.blockSize, offset - k * chunkSize, into);
    let expected = block + chunkSize / this.blockSize;
    // On device 0 a run could leave one slot's unified range and enter the next; chunks stay apart there.
    const joins = device > 0 || this.handle.isFlat || this.handle.devices.length === 0;
    while (joins && end < size && end - offset < wanted) {
      entry += unit;
      const next = chunkBlock(v, entry, format);
      if (block < 0 ? next >= 0 : next !== expected) break;
      if (block >= 0 && chunkDevice(v, entry, format, this.deviceMask) !== device) break;
      expected += chunkSize / this.blockSize;
      end += chunkSize;
    }
    into.length = Math.min(end, size) - offset;
  }

  /**
   * Turns a device id and address into the file that holds the bytes: see `deviceAt`.
   *
   * @param address where the file's or chunk's data begins: it decides, as it did when the range was checked
   * @param ahead bytes after that
   */
  private place(device: number, address: number, ahead: number, into: Extent): void {
    const found = deviceAt(this.space, device, address);
    into.device = found;
    into.address = addressOn(this.space, device, found, address) + ahead;
    if (found === 0 || !this.space.isFlat) return;
    into.device = 0;
    into.address += deviceSlot(this.space, found).unifiedAt;
  }
}

/** The kernel masks device ids with the next power of two above the device count (fs/erofs/super.c). */
export const deviceMask = (devices: number): number => 2 ** Math.ceil(Math.log2(devices + 1)) - 1;

/** First byte of the inline tail: a size that fills its last block has that whole block as tail. */
export const tailStart = (size: number, blockSize: number): number =>
  size === 0 ? 0 : Math.floor((size - 1) / blockSize) * blockSize;

/** Byte offset of block `k` of flat data whose blocks lie in the image file. */
export function flatBlockAt(v: DataView, at: number, k: number, blockBits: number): number {
  const blockSize = 1 << blockBits;
  if (inode.inodeLayout(v, at) === inode.FLAT_INLINE) {
    const tail = tailStart(inode.inodeSize(v, at), blockSize);
    if (k * blockSize >= tail) return at + inode.inodeBytes(v, at) + inode.inodeXattrBytes(v, at);
  }
  return (inode.inodeStartBlock(v, at) + k) * blockSize;
}
