import { FormatError } from "../bytes/errors.ts";
import { put32, put64, putAscii } from "../bytes/fit.ts";
import { TWO_32, u64 } from "../bytes/u64.ts";
import { type Device, SLOT_SIZE, TAG_SIZE } from "./device.ts";
import { INODE_SLOT_SIZE } from "./inode.ts";
import {
  superblockCompression,
  DEVICE_SLOT,
  COMPRESSION as SB_COMPRESSION,
  SUPER_AT,
  SUPER_END,
  type Superblock,
} from "./superblock.ts";

/** RAFS v6 extended superblock, 256 bytes at 1152. Source: nydus rafs/src/metadata/layout/v6.rs. */
export const RAFS_AT = SUPER_END;
export const RAFS_SIZE = 256;
/** Where nydus demands the device table. */
export const DEVICES_AT = RAFS_AT + RAFS_SIZE;
const FLAGS = 0; //                u64
const BLOB_TABLE_OFFSET = 8; //    u64  4096-aligned
const BLOB_TABLE_SIZE = 16; //     u32  256 × blobs
const CHUNK_SIZE = 20; //          u32  power of two
const CHUNK_TABLE_OFFSET = 24; //  u64  not needed to serve, only shown
const CHUNK_TABLE_SIZE = 32; //    u64
const PREFETCH_OFFSET = 40; //     u64  0 without a table
const PREFETCH_SIZE = 48; //       u32  4 × nids
export const PREFETCH_ENTRY_SIZE = 4;
/** Bytes of the table that are made readable at once. */
const PREFETCH_STEP = 1 << 16;
/** Reserved, and looked at by nobody else: where our builder keeps a layer's changes (mkfs/change-record). */
const CHANGES_OFFSET = 56; //      u64  0 without any
const CHANGES_SIZE = 64; //        u64

const COMPRESSION_NONE = 0x1;
const DIGEST_SHA256 = 0x8;
const HAS_OWNERS = 0x10;
const HAS_XATTRS = 0x20;
const COMPRESSION = 0x1 | 0x2 | 0x40 | 0x80;
const DIGEST = 0x4 | 0x8;
const TARFS = 0x200;
const ENCRYPTION_NONE = 0x0100_0000;
const ENCRYPTED = 0x0200_0000;
const KNOWN = COMPRESSION | DIGEST | 0x10 | 0x20 | 0x100 | TARFS | ENCRYPTION_NONE | ENCRYPTED | 0xfc00_0000;

/** Blob table entry, 256 bytes: an id as in a device slot, then: */
export const BLOB_SIZE = 256;
export const BLOB_TABLE_ALIGN = 4096;
const BLOB_INDEX = 64; //       u32  = position
const BLOB_CHUNK_SIZE = 68; //  u32  = the superblock's
const BLOB_CHUNK_COUNT = 72; // u32
const BLOB_COMPRESSION = 76; // u32  0 none
const BLOB_DIGEST = 80; //      u32  1 sha256, 0 blake3
const BLOB_FEATURES = 84; //    u32
const BLOB_COMPRESSED = 88; //  u64  bytes of the tar that the builder read
const BLOB_PLAIN = 96; //       u64  bytes
const BLOB_TOC_SIZE = 104; //   u32  what follows describes blobs that nydus packed; 0 for a tar
const BLOB_CI = 108; //         u32  compressor of the chunk information, then its offset and two sizes, u64
const BLOB_TOC_DIGEST = 136; // 32 bytes
const BLOB_META_DIGEST = 168; // 32 bytes
const BLOB_META_SIZE = 200; //  u64

/** A row of the blob table, as far as it describes an uncompressed blob. */
export interface RafsBlob {
  readonly id: string;
  readonly chunkCount: number;
  readonly digest: number;
  readonly features: number;
  readonly compressedSize: number;
  readonly plainSize: number;
  readonly tocSize: number;
  readonly tocDigest: Uint8Array;
  readonly metaSize: number;
  readonly metaDigest: Uint8Array;
  readonly ciCompressor: number;
  readonly ciOffset: number;
  readonly ciCompressedSize: number;
  readonly ciPlainSize: number;
}

/** Byte range of a table in the image; 0, 0 when there is none. */
export interface TableRange {
  readonly at: number;
  readonly length: number;
}
/** CAP_TAR_TOC and TARFS. */
const FEATURES = 0x4000_0040;

export interface Rafs {
  readonly isTarfs: boolean;
  /** Owners are the image's; without them everything is root's. */
  readonly hasOwners: boolean;
  readonly chunkSize: number;
  /** Low 32 bits of the flags; the high ones are 0. */
  readonly flags: number;
  /** By device slot. */
  readonly blobs: readonly RafsBlob[];
  readonly blobTable: TableRange;
  readonly prefetchTable: TableRange;
  readonly chunkTable: TableRange;
  /** Not looked at but by who lays layers over one another. */
  readonly changes: TableRange;
  /** nids in the order the builder was given them; a directory stands for its whole subtree. */
  readonly prefetch: readonly number[];
}

/** The field that says where the prefetch table is: for messages. */
export const PREFETCH_FIELD_AT = RAFS_AT + PREFETCH_OFFSET;

/** Byte ranges that the RAFS tables say they take. */
function rafsRanges(view: DataView): [blobTable: TableRange, prefetchTable: TableRange] {
  const field = (at: number) => view.getUint32(RAFS_AT + at, true);
  return [
    { at: u64(view, RAFS_AT + BLOB_TABLE_OFFSET), length: field(BLOB_TABLE_SIZE) },
    { at: u64(view, RAFS_AT + PREFETCH_OFFSET), length: field(PREFETCH_SIZE) },
  ];
}

/**
 * Reads and checks the extended superblock, the blob table against the device table, and the prefetch table.
 *
 * @param view holds the extended superblock, and what `need` is asked for
 * @param size length of the whole image, bytes
 * @param need makes bytes readable: no more of a table than there may be
 * @throws FormatError naming the field
 */
export function readRafs(
  view: DataView,
  size: number,
  sb: Superblock,
  devices: Device[],
  file: string,
  need: (at: number, length: number) => void,
): Rafs {
  const bad = (field: number, problem: string) => new FormatError(problem, { file, at: RAFS_AT + field });
  const field = (at: number) => view.getUint32(RAFS_AT + at, true);
  const hex = (n: number) => `0x${n.toString(16)}`;

  const flags = field(FLAGS);
  const unknown = ((flags & ~KNOWN) >>> 0) + field(FLAGS + 4) * TWO_32;
  if (unknown) throw bad(FLAGS, `RAFS flags ${hex(flags)} have unknown bits ${hex(unknown)}`);
  if (!isOneBit(flags & COMPRESSION) || !isOneBit(flags & DIGEST))
    throw bad(FLAGS, `RAFS flags ${hex(flags)} want exactly one compression and one digest`);
  if (!(flags & COMPRESSION_NONE))
    throw bad(FLAGS, `RAFS flags ${hex(flags)} name a compression: only uncompressed data can be served`);
  if (flags & ENCRYPTED) throw bad(FLAGS, `RAFS flags ${hex(flags)} name an encryption: cannot be served`);
  const isTarfs = (flags & TARFS) !== 0;
  const wanted = isTarfs ? 512 : 4096;
  if (sb.blockSize !== wanted)
    throw bad(
      FLAGS,
      `block size is ${sb.blockSize}, want ${wanted} for a ${isTarfs ? "TARFS" : "plain RAFS"} image`,
    );
  const sbField = (at: number, problem: string) => new FormatError(problem, { file, at: SUPER_AT + at });
  if (superblockCompression(view) !== 0)
    throw sbField(
      SB_COMPRESSION,
      `the superblock names compression ${hex(superblockCompression(view))}, want 0`,
    );
  const chunkSize = field(CHUNK_SIZE);
  if (!isOneBit(chunkSize) || chunkSize < 0x1000 || chunkSize > 0x100_0000)
    throw bad(CHUNK_SIZE, `chunk size is ${hex(chunkSize)}, want a power of two in 0x1000…0x1000000`);
  if (sb.extraDevices > 0 && sb.devicesAt !== DEVICES_AT)
    throw sbField(DEVICE_SLOT, `device table is at ${hex(sb.devicesAt)}, want ${hex(DEVICES_AT)}`);
  checkBlobTable();
  const [blobTable, prefetchTable] = rafsRanges(view);
  return {
    isTarfs,
    hasOwners: (flags & HAS_OWNERS) !== 0,
    chunkSize,
    flags,
    blobs: devices.map(({ id }, i) => readBlob(view, blobTable.at + i * BLOB_SIZE, id)),
    blobTable,
    prefetchTable,
    chunkTable: {
      at: u64(view, RAFS_AT + CHUNK_TABLE_OFFSET),
      length: u64(view, RAFS_AT + CHUNK_TABLE_SIZE),
    },
    changes: { at: u64(view, RAFS_AT + CHANGES_OFFSET), length: u64(view, RAFS_AT + CHANGES_SIZE) },
    prefetch: readPrefetch(),
  };

  // biome-ignore lint/complexity/noExcessiveCognitiveComplexity: rules in the order of the format, none within another
  function checkBlobTable(): void {
    const at = u64(view, RAFS_AT + BLOB_TABLE_OFFSET);
    const length = field(BLOB_TABLE_SIZE);
    if (length !== devices.length * BLOB_SIZE)
      throw bad(BLOB_TABLE_SIZE, `blob table is ${length} bytes, want ${devices.length} × ${BLOB_SIZE}`);
    if (length === 0) return;
    const least = sb.devicesAt + devices.length * SLOT_SIZE;
    if (at % BLOB_TABLE_ALIGN || at < least || at + length > size)
      throw bad(
        BLOB_TABLE_OFFSET,
        `blob table of ${length} bytes is at ${hex(at)}, want a multiple of ${BLOB_TABLE_ALIGN} between ${hex(least)} and ${hex(size)}`,
      );
    need(at, length);
    for (const [i, { id }] of devices.entries()) {
      const entry = at + i * BLOB_SIZE;
      const wrong = (where: number, problem: string) =>
        new FormatError(`blob ${i}: ${problem}`, { file, at: entry + where });
      const tag = sb.devicesAt + i * SLOT_SIZE;
      for (let b = 0; b < TAG_SIZE; b++)
        if (view.getUint8(entry + b) !== view.getUint8(tag + b))
          throw wrong(b, `id differs from device slot ${i} ("${id}")`);
      const index = view.getUint32(entry + BLOB_INDEX, true);
      if (index !== i) throw wrong(BLOB_INDEX, `index is ${index}, want ${i}`);
      const chunk = view.getUint32(entry + BLOB_CHUNK_SIZE, true);
      if (chunk !== chunkSize)
        throw wrong(BLOB_CHUNK_SIZE, `chunk size is ${hex(chunk)}, want ${hex(chunkSize)}`);
      const compression = view.getUint32(entry + BLOB_COMPRESSION, true);
      if (compression !== 0) throw wrong(BLOB_COMPRESSION, `compression is ${compression}, want 0 (none)`);
    }
  }

  function readPrefetch(): number[] {
    const at = u64(view, RAFS_AT + PREFETCH_OFFSET);
    const length = field(PREFETCH_SIZE);
    if (at === 0 || length === 0) return [];
    const unit = PREFETCH_ENTRY_SIZE;
    if (length % unit || at % unit || at + length > size)
      throw bad(
        PREFETCH_OFFSET,
        `prefetch table of ${length} bytes is at ${hex(at)}, want multiples of ${unit} below ${hex(size)}`,
      );
    const most = Math.floor((size - length) / INODE_SLOT_SIZE);
    if (length / unit > most)
      throw bad(
        PREFETCH_SIZE,
        `prefetch table has ${length / unit} entries, there is room for ${most} inodes`,
      );
    const nids: number[] = [];
    for (let i = 0; i < length; i += unit) {
      // A zero ends it: what is behind that, a hole perhaps, is not even read.
      if (i % PREFETCH_STEP === 0) need(at + i, Math.min(PREFETCH_STEP, length - i));
      const nid = view.getUint32(at + i, true);
      if (nid === 0) break;
      nids.push(nid);
    }
    return nids;
  }
}

function readBlob(view: DataView, at: number, id: string): RafsBlob {
  const field = (offset: number) => view.getUint32(at + offset, true);
  const bytes = (offset: number, length: number) =>
    new Uint8Array(view.buffer, view.byteOffset + at + offset, length).slice();
  return {
    id,
    chunkCount: field(BLOB_CHUNK_COUNT),
    digest: field(BLOB_DIGEST),
    features: field(BLOB_FEATURES),
    compressedSize: u64(view, at + BLOB_COMPRESSED),
    plainSize: u64(view, at + BLOB_PLAIN),
    tocSize: field(BLOB_TOC_SIZE),
    tocDigest: bytes(BLOB_TOC_DIGEST, 32),
    metaSize: u64(view, at + BLOB_META_SIZE),
    metaDigest: bytes(BLOB_META_DIGEST, 32),
    ciCompressor: field(BLOB_CI),
    ciOffset: u64(view, at + BLOB_CI + 4),
    ciCompressedSize: u64(view, at + BLOB_CI + 12),
    ciPlainSize: u64(view, at + BLOB_CI + 20),
  };
}

const isOneBit = (n: number): boolean => n !== 0 && (n & (n - 1)) === 0;

/** What differs between the RAFS extensions of TARFS bootstraps. */
export interface TarfsExtension {
  readonly hasXattrs: boolean;
  readonly hasOwners: boolean;
  readonly chunkSize: number;
  readonly blobTableAt: number;
  readonly blobs: readonly { readonly id: string; readonly size: number; readonly chunks: number }[];
  readonly changes: TableRange;
  /** 0 without a table. */
  readonly prefetchAt: number;
  readonly prefetch: readonly number[];
}

/** Writes extension, blob table and prefetch table. The chunk table stays empty: no reader uses it in TARFS mode. */
export function putRafs(v: DataView, x: TarfsExtension): void {
  const flags =
    COMPRESSION_NONE |
    DIGEST_SHA256 |
    (x.hasOwners ? HAS_OWNERS : 0) |
    (x.hasXattrs ? HAS_XATTRS : 0) |
    TARFS |
    ENCRYPTION_NONE;
  put32(v, RAFS_AT + FLAGS, flags);
  put64(v, RAFS_AT + BLOB_TABLE_OFFSET, x.blobTableAt);
  put32(v, RAFS_AT + BLOB_TABLE_SIZE, BLOB_SIZE * x.blobs.length);
  put32(v, RAFS_AT + CHUNK_SIZE, x.chunkSize);
  put64(v, RAFS_AT + PREFETCH_OFFSET, x.prefetchAt);
  put32(v, RAFS_AT + PREFETCH_SIZE, PREFETCH_ENTRY_SIZE * x.prefetch.length);
  put64(v, RAFS_AT + CHANGES_OFFSET, x.changes.at);
  put64(v, RAFS_AT + CHANGES_SIZE, x.changes.length);
  x.blobs.forEach(({ id, size, chunks }, i) => {
    const at = x.blobTableAt + BLOB_SIZE * i;
    putAscii(v, at, id, TAG_SIZE);
    put32(v, at + BLOB_INDEX, i);
    put32(v, at + BLOB_CHUNK_SIZE, x.chunkSize);
    put32(v, at + BLOB_CHUNK_COUNT, chunks);
    put32(v, at + BLOB_DIGEST, 1);
    put32(v, at + BLOB_FEATURES, FEATURES);
    put64(v, at + BLOB_COMPRESSED, size);
    put64(v, at + BLOB_PLAIN, size);
    put32(v, at + BLOB_CI, 1); // as nydus-image writes it; it says nothing
  });
  x.prefetch.forEach((nid, i) => {
    put32(v, x.prefetchAt + PREFETCH_ENTRY_SIZE * i, nid);
  });
}
