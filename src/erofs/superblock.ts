import { crc32c } from "../bytes/crc32c.ts";
import { FormatError } from "../bytes/errors.ts";
import { put16, put32, put48, put64, put8 } from "../bytes/fit.ts";
import { EROFS_AT, EROFS_MAGIC, HEAD, kindOf, refusalOf } from "../bytes/magic.ts";
import { s64, TWO_32, u64 } from "../bytes/u64.ts";

/** `struct erofs_super_block`, 128 bytes at byte 1024. Source: linux/fs/erofs/erofs_fs.h. */
export const SUPER_AT = EROFS_AT;
const SUPER_SIZE = 128;
export const SUPER_END = SUPER_AT + SUPER_SIZE;
/** As nydus: its device ids have 8 bits. It also bounds the work for a crafted image. */
const MAX_DEVICES = 254;

const CHECKSUM = 4; //         u32  crc32c of the superblock's block, 0 without SB_CHKSUM
const COMPAT = 8; //           u32
const BLOCK_BITS = 12; //      u8   9…12
const EXT_SLOTS = 13; //       u8   superblock is 128 + 16·n bytes
const ROOT_NID = 14; //        u16  (48BIT with ROOT_NID_8B: high 16 bits of BLOCKS)
const INOS = 16; //            u64
const EPOCH = 24; //           s64  added to compact inodes' mtime, seconds
const FIXED_NSEC = 32; //      u32  nanoseconds of compact inodes' mtime
const BLOCKS = 36; //          u32
const META_BLOCK = 40; //      u32  inode table starts here
const XATTR_BLOCK = 44; //     u32  shared xattrs start here
const INCOMPAT = 80; //        u32
export const COMPRESSION = 84; // u16  algorithms or lz4 distance
const EXTRA_DEVICES = 86; //   u16
export const DEVICE_SLOT = 88; // u16  device table at this × DEVICE_SLOT_UNIT
const DEVICE_SLOT_UNIT = 128;
const DIR_BLOCK_BITS = 90; //  u8   must be 0
const PREFIX_COUNT = 91; //    u8   long xattr prefixes
const PREFIX_START = 92; //    u32  unit 4 bytes
const ROOT_NID_8B = 112; //    u64  48BIT only

export const COMPAT_SB_CHKSUM = 0x1;
export const COMPAT_PLAIN_XATTR_PFX = 0x10;
/** RAFS v6 sets this bit; only then do bytes 1152…1407 hold the RAFS extension. */
export const COMPAT_RAFS = 0x4000_0000;
export const INCOMPAT_CHUNKED_FILE = 0x4;
export const INCOMPAT_DEVICE_TABLE = 0x8;
export const INCOMPAT_XATTR_PREFIXES = 0x40;
export const INCOMPAT_48BIT = 0x80;

const ACCEPTED = INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE | INCOMPAT_XATTR_PREFIXES | INCOMPAT_48BIT;
const REFUSED: readonly [bit: number, name: string][] = [
  [0x1, "LZ4_0PADDING"],
  [0x2, "COMPR_CFGS"],
  [0x10, "ZTAILPACKING"],
  [0x20, "FRAGMENTS"],
  [0x100, "METABOX"],
];

export interface Superblock {
  readonly blockBits: number;
  readonly blockSize: number;
  readonly isRafs: boolean;
  readonly has48bit: boolean;
  readonly rootNid: number;
  /** Byte offset of the field that says so. */
  readonly rootNidAt: number;
  readonly inos: number;
  readonly epoch: number;
  readonly fixedNsec: number;
  readonly blocks: number;
  /** Byte offset of nid 0. */
  readonly metaAt: number;
  /** Byte offset of shared xattr 0. */
  readonly xattrAt: number;
  readonly extraDevices: number;
  /** Byte offset of the first device slot. */
  readonly devicesAt: number;
  readonly prefixCount: number;
  /** Byte offset of the long xattr prefix table. */
  readonly prefixesAt: number;
}

/**
 * Reads and checks the superblock.
 *
 * @param view at least the first 8192 bytes of the image, or all of it when it is shorter
 * @param size length of the whole image, bytes
 * @param file path, used only in messages
 * @returns a plain copy; nothing keeps `view` alive through it
 * @throws FormatError if the image is short, the magic or checksum is wrong, or a feature is not supported
 * @see https://docs.kernel.org/filesystems/erofs.html (superblock) and fs/erofs/super.c
 */
export function readSuperblock(view: DataView, size: number, file: string): Superblock {
  const bad = (field: number, problem: string) => new FormatError(problem, { file, at: SUPER_AT + field });
  if (size < SUPER_END || view.byteLength < SUPER_END) {
    mustBeNothingElse(view, file);
    throw new FormatError(`${size} bytes is too short for an EROFS superblock, want at least ${SUPER_END}`, {
      file,
      at: 0,
    });
  }
  const u8 = (field: number) => view.getUint8(SUPER_AT + field);
  const u16 = (field: number) => view.getUint16(SUPER_AT + field, true);
  const u32 = (field: number) => view.getUint32(SUPER_AT + field, true);

  if (u32(0) !== EROFS_MAGIC) {
    mustBeNothingElse(view, file);
    throw bad(0, `magic is 0x${u32(0).toString(16)}, want 0x${EROFS_MAGIC.toString(16)}`);
  }
  const blockBits = u8(BLOCK_BITS);
  if (blockBits < 9 || blockBits > 12) throw bad(BLOCK_BITS, `block size is 2^${blockBits}, want 2^9…2^12`);
  const blockSize = 1 << blockBits;
  const compat = u32(COMPAT);
  if (compat & COMPAT_SB_CHKSUM) checkChecksum(view, blockSize, u32(CHECKSUM), file);
  checkFeatures(u32(INCOMPAT), bad);
  if (u8(DIR_BLOCK_BITS) !== 0)
    throw bad(DIR_BLOCK_BITS, `directory block bits are ${u8(DIR_BLOCK_BITS)}, want 0`);
  if (u8(EXT_SLOTS) > 184)
    throw bad(
      EXT_SLOTS,
      `superblock has ${u8(EXT_SLOTS)} extension slots, want at most 184 (one 4 KiB page)`,
    );
  const extraDevices = u32(INCOMPAT) & INCOMPAT_DEVICE_TABLE ? u16(EXTRA_DEVICES) : 0;
  if (extraDevices > MAX_DEVICES)
    throw bad(EXTRA_DEVICES, `the image has ${extraDevices} devices, want at most ${MAX_DEVICES}`);
  const devicesAt = u16(DEVICE_SLOT) * DEVICE_SLOT_UNIT;
  if (extraDevices > 0 && devicesAt < SUPER_END)
    throw bad(
      DEVICE_SLOT,
      `device table is at 0x${devicesAt.toString(16)}, want 0x${SUPER_END.toString(16)} or above`,
    );

  const has48bit = (u32(INCOMPAT) & INCOMPAT_48BIT) !== 0;
  const longRoot = has48bit ? u64(view, SUPER_AT + ROOT_NID_8B) : 0;
  return {
    blockBits,
    blockSize,
    isRafs: (compat & COMPAT_RAFS) !== 0,
    has48bit,
    rootNid: longRoot || u16(ROOT_NID),
    rootNidAt: SUPER_AT + (longRoot ? ROOT_NID_8B : ROOT_NID),
    inos: u64(view, SUPER_AT + INOS),
    epoch: s64(view, SUPER_AT + EPOCH),
    fixedNsec: u32(FIXED_NSEC),
    blocks: u32(BLOCKS) + (longRoot ? u16(ROOT_NID) * TWO_32 : 0),
    metaAt: u32(META_BLOCK) * blockSize,
    xattrAt: u32(XATTR_BLOCK) * blockSize,
    extraDevices,
    devicesAt,
    prefixCount: u32(INCOMPAT) & INCOMPAT_XATTR_PREFIXES ? u8(PREFIX_COUNT) : 0,
    prefixesAt: u32(PREFIX_START) * 4,
  };

  function checkChecksum(v: DataView, bs: number, stored: number, path: string): void {
    if (v.byteLength < checksummedEnd(bs))
      throw new FormatError(`${size} bytes end inside the checksummed block`, { file: path, at: 0 });
    const found = checksumOf(v, bs);
    if (found !== stored)
      throw bad(
        CHECKSUM,
        `checksum is 0x${stored.toString(16)}, the superblock's is 0x${found.toString(16)}`,
      );
  }
}

/** Where the block ends that the checksum is of; it begins with the superblock. */
const checksummedEnd = (blockSize: number): number =>
  blockSize > SUPER_AT ? blockSize : SUPER_AT + blockSize;

/** crc32c over [1024, end of block), the checksum field itself taken as zero, without final inversion. */
function checksumOf(v: DataView, blockSize: number): number {
  const block = new Uint8Array(
    v.buffer,
    v.byteOffset + SUPER_AT,
    checksummedEnd(blockSize) - SUPER_AT,
  ).slice();
  block.fill(0, CHECKSUM, CHECKSUM + 4);
  return crc32c(0xffffffff, block);
}

/** Makes the checksum fit again after a change, where the image has one. @param v holds the first 8192 bytes, or all */
export function sealSuperblock(v: DataView): void {
  if (!(v.getUint32(SUPER_AT + COMPAT, true) & COMPAT_SB_CHKSUM)) return;
  put32(v, SUPER_AT + CHECKSUM, checksumOf(v, 1 << v.getUint8(SUPER_AT + BLOCK_BITS)));
}

/**
 * Turns the superblock into one without devices and without what RAFS adds.
 *
 * @param blocks of the image, which holds all data itself
 * @param isWide the image has 48BIT
 */
export function putSingleDevice(v: DataView, blocks: number, isWide: boolean): void {
  const u32 = (at: number) => v.getUint32(SUPER_AT + at, true);
  put32(v, SUPER_AT + COMPAT, (u32(COMPAT) & ~COMPAT_RAFS) >>> 0);
  put32(v, SUPER_AT + INCOMPAT, (u32(INCOMPAT) & ~INCOMPAT_DEVICE_TABLE) >>> 0);
  put16(v, SUPER_AT + EXTRA_DEVICES, 0);
  put16(v, SUPER_AT + DEVICE_SLOT, 0);
  if (isWide && u64(v, SUPER_AT + ROOT_NID_8B) > 0) put48(v, SUPER_AT + BLOCKS, SUPER_AT + ROOT_NID, blocks);
  else put32(v, SUPER_AT + BLOCKS, blocks);
  sealSuperblock(v);
}

/** What was meant for another command is told by its name. */
function mustBeNothingElse({ buffer, byteOffset, byteLength }: DataView, file: string): void {
  const found = kindOf(new Uint8Array(buffer, byteOffset, Math.min(byteLength, HEAD)));
  if (found !== undefined && found.reads !== "erofs")
    throw new FormatError(refusalOf(found, "no bootstrap and no EROFS image", file), { file, at: 0 });
}

function checkFeatures(incompat: number, bad: (field: number, problem: string) => FormatError): void {
  const unknown = (incompat & ~ACCEPTED) >>> 0;
  if (unknown === 0) return;
  const names = REFUSED.filter(([bit]) => unknown & bit).map(([, name]) => name);
  const rest = REFUSED.reduce((bits, [bit]) => bits & ~bit, unknown) >>> 0;
  if (rest) names.push(`unknown 0x${rest.toString(16)}`);
  throw bad(
    INCOMPAT,
    `incompatible feature(s) 0x${unknown.toString(16)} (${names.join(", ")}) not supported: ` +
      "only uncompressed images can be served",
  );
}

/** The compression field of a RAFS image must be zero; it is read here because it shares the union. */
export const superblockCompression = (view: DataView): number => view.getUint16(SUPER_AT + COMPRESSION, true);

/** What differs between the superblocks of TARFS bootstraps. */
export interface TarfsSuperblock {
  readonly blockBits: number;
  readonly rootNid: number;
  readonly inos: number;
  /** Of all devices together, the image itself not counted. */
  readonly blocks: number;
  readonly metaBlock: number;
  readonly devices: number;
  /** Byte offset of the device table. */
  readonly devicesAt: number;
  /** Blocks are numbered in 48 bits: Linux 6.15, and not nydusd. */
  readonly isWide: boolean;
}

/** Writes a superblock as nydus demands it: no checksum, these two features; and a third where they do not do. */
export function putSuperblock(v: DataView, sb: TarfsSuperblock): void {
  put32(v, SUPER_AT, EROFS_MAGIC);
  put32(v, SUPER_AT + COMPAT, COMPAT_RAFS);
  put8(v, SUPER_AT + BLOCK_BITS, sb.blockBits);
  if (sb.isWide) {
    put64(v, SUPER_AT + ROOT_NID_8B, sb.rootNid);
    put48(v, SUPER_AT + BLOCKS, SUPER_AT + ROOT_NID, sb.blocks);
  } else {
    put16(v, SUPER_AT + ROOT_NID, sb.rootNid);
    put32(v, SUPER_AT + BLOCKS, sb.blocks);
  }
  put64(v, SUPER_AT + INOS, sb.inos);
  put32(v, SUPER_AT + META_BLOCK, sb.metaBlock);
  put32(
    v,
    SUPER_AT + INCOMPAT,
    INCOMPAT_CHUNKED_FILE | INCOMPAT_DEVICE_TABLE | (sb.isWide ? INCOMPAT_48BIT : 0),
  );
  put16(v, SUPER_AT + EXTRA_DEVICES, sb.devices);
  put16(v, SUPER_AT + DEVICE_SLOT, sb.devicesAt / DEVICE_SLOT_UNIT);
}
