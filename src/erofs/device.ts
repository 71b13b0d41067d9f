import { FormatError } from "../bytes/errors.ts";
import { put32, put48, putAscii } from "../bytes/fit.ts";
import { showName } from "../bytes/name.ts";
import { TWO_32 } from "../bytes/u64.ts";
import type { Superblock } from "./superblock.ts";

/** `struct erofs_deviceslot`, 128 bytes. Source: linux/fs/erofs/erofs_fs.h. */
export const SLOT_SIZE = 128;
export const TAG_SIZE = 64; // bytes  blob id, NUL-padded, no terminator when full
const BLOCKS = 64; //      u32
const UNIADDR = 68; //     u32    first block in the unified address space
const BLOCKS_HI = 72; //   u16    48BIT only
const UNIADDR_HI = 74; //  u16    48BIT only

/** A place where file data lives: device 0 is the image itself, slot i of the table is device i + 1. */
export interface Device {
  /** Blob id, "" when the image does not say (mkfs.erofs --tar=i). */
  readonly id: string;
  readonly blocks: number;
  /** Byte address in the unified space, 0 when it has none. */
  readonly unifiedAt: number;
}

/**
 * What may be a blob id: the name of a file in a directory of blobs, which leads nowhere else. The kernel asks for no name, and
 * nydusd joins any to a directory: what can be seen and typed is taken, with blanks in it, too.
 */
const BLOB_ID = /^[!-.0-~](?:[ -.0-~]*[!-.0-~])?$/;
export const isBlobId = (id: string): boolean => BLOB_ID.test(id) && id !== "." && id !== "..";

/**
 * Reads the device table.
 *
 * @param view holds the table
 * @throws FormatError if a tag could not be a blob id, is there twice, or (RAFS) a slot has no blocks
 */
export function readDevices(view: DataView, sb: Superblock, file: string): Device[] {
  const devices: Device[] = [];
  const seen = new Map<string, number>();
  for (let i = 0; i < sb.extraDevices; i++) {
    const at = sb.devicesAt + i * SLOT_SIZE;
    const bad = (field: number, problem: string) =>
      new FormatError(`device slot ${i}: ${problem}`, { file, at: at + field });
    const tag = new Uint8Array(view.buffer, view.byteOffset + at, TAG_SIZE);
    const end = tag.indexOf(0) < 0 ? TAG_SIZE : tag.indexOf(0);
    const id = showName(tag.subarray(0, end));
    if (end > 0 && !isBlobId(Buffer.from(tag.subarray(0, end)).toString("latin1")))
      throw bad(0, `blob id "${id}" is not a plain file name`);
    if (tag.subarray(end).some((b) => b !== 0)) throw bad(end, `blob id "${id}" goes on after its NUL`);
    if (sb.isRafs && end === 0) throw bad(0, "blob id is empty");
    const twin = end > 0 ? seen.get(id) : undefined;
    if (twin !== undefined) throw bad(0, `blob id "${id}" is in slot ${twin} already`);
    seen.set(id, i);
    const hi = (field: number) => (sb.has48bit ? view.getUint16(at + field, true) * TWO_32 : 0);
    const blocks = view.getUint32(at + BLOCKS, true) + hi(BLOCKS_HI);
    if (sb.isRafs && blocks === 0) throw bad(BLOCKS, "0 blocks, want at least 1");
    devices.push({
      id,
      blocks,
      unifiedAt: (view.getUint32(at + UNIADDR, true) + hi(UNIADDR_HI)) * sb.blockSize,
    });
  }
  return devices;
}

/** A slot as it is written: in blocks. */
export interface DeviceSlot {
  /** At most 64 bytes of ASCII. */
  readonly id: string;
  readonly blocks: number;
  /** First block in the unified address space, 0 when it has none there. */
  readonly unifiedBlock: number;
}

/** Writes a slot over zeros. @param isWide the image has 48BIT */
export function putDevice(v: DataView, at: number, slot: DeviceSlot, isWide: boolean): void {
  putAscii(v, at, slot.id, TAG_SIZE);
  if (isWide) put48(v, at + BLOCKS, at + BLOCKS_HI, slot.blocks);
  else put32(v, at + BLOCKS, slot.blocks);
  putUnifiedBlock(v, at, slot.unifiedBlock, isWide);
}

/** Writes where a slot's device lies in the unified address space. */
export function putUnifiedBlock(v: DataView, at: number, block: number, isWide: boolean): void {
  if (isWide) put48(v, at + UNIADDR, at + UNIADDR_HI, block);
  else put32(v, at + UNIADDR, block);
}

/** What addresses mean in an image. */
export interface AddressSpace {
  readonly devices: readonly Device[];
  /** Blobs are part of the image file itself, at their unified addresses. */
  readonly isFlat: boolean;
  readonly blockSize: number;
  /** Where pieces of the unified space begin, ascending, and whose each is. */
  readonly starts: Float64Array;
  readonly owners: Uint16Array;
}

/**
 * Finds whose each piece of the unified space is, once: an image may have as many chunks in it as it likes. Where slots
 * overlap, the first of the table has it, as the kernel looks them up.
 */
export function addressSpace(devices: readonly Device[], isFlat: boolean, blockSize: number): AddressSpace {
  const ranges = devices
    .map(({ unifiedAt, blocks }, i) => ({
      from: unifiedAt,
      end: unifiedAt + blocks * blockSize,
      device: i + 1,
    }))
    .filter(({ from, end }) => from > 0 && end > from);
  const starts = [...new Set([0, ...ranges.flatMap(({ from, end }) => [from, end])])].sort((a, b) => a - b);
  const owners = starts.map((at) => ranges.find(({ from, end }) => at >= from && at < end)?.device ?? 0);
  return { devices, isFlat, blockSize, starts: Float64Array.from(starts), owners: Uint16Array.from(owners) };
}

/**
 * The device that an address on a device belongs to. Device 0 is the unified space: an address inside a slot's range is
 * that slot's; in a flat image all of it is the image's own.
 *
 * The check of a range and every read go by this one rule, with the address at which the range begins: what was checked
 * is what is read.
 *
 * @param device as on disk: 0 is the unified space, i is slot i - 1
 */
export function deviceAt({ isFlat, starts, owners }: AddressSpace, device: number, address: number): number {
  if (device > 0 || isFlat) return device;
  let low = 0;
  let end = starts.length;
  while (end - low > 1) {
    const middle = (low + end) >> 1;
    if ((starts[middle] as number) <= address) low = middle;
    else end = middle;
  }
  return owners[low] as number;
}

/** The slot of a device that `deviceAt` found, which is none but those of the table, or that was checked to be one. */
export const deviceSlot = ({ devices }: AddressSpace, found: number): Device => devices[found - 1] as Device;

/** The same address counted from where `found`, its device by `deviceAt`, begins. */
export const addressOn = (space: AddressSpace, device: number, found: number, address: number): number =>
  found === device ? address : address - deviceSlot(space, found).unifiedAt;
