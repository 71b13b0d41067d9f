import { elementAt } from "../bytes/element-at.ts";
import type { Device } from "../erofs/device.ts";
import type { RafsBlob } from "../erofs/rafs.ts";
import { blobFeatureNames, COMPRESSORS, DIGESTERS, rafsFlagNames } from "./features.ts";
import { blobName, type ImageView } from "./image-view.ts";

/** How nydus-image words the tables of an image; keys of JSON in its order, which is the alphabet's. */
export interface BlobRow {
  readonly blob_id: string;
  readonly compressed_size: number;
  readonly decompressed_size: number;
  /** 0: only blobs packed for prefetch have these. */
  readonly readahead_offset: number;
  readonly readahead_size: number;
}

const META_IS_CAP_TAR_TOC = 0x4000_0000;

/** The blob table; an image without one has its device table. */
export function blobRows(view: ImageView): BlobRow[] {
  const { rafs, devices, sb } = view.tables;
  const row = (blob_id: string, compressed_size: number, decompressed_size: number): BlobRow => ({
    blob_id,
    compressed_size,
    decompressed_size,
    readahead_offset: 0,
    readahead_size: 0,
  });
  if (rafs !== undefined) return rafs.blobs.map((b) => row(b.id, b.compressedSize, b.plainSize));
  return devices.map(({ blocks }, i) => row(blobName(view, i), blocks * sb.blockSize, blocks * sb.blockSize));
}

const hex = (n: number): string => `0x${n.toString(16)}`;

export function statsText({ tables }: ImageView): string {
  const { rafs, sb } = tables;
  const none = { at: 0, length: 0 };
  const { blobTable, prefetchTable, chunkTable } = rafs ?? {
    blobTable: none,
    prefetchTable: none,
    chunkTable: none,
  };
  return `
    Version:                ${rafs === undefined ? "EROFS" : 6}
    Inodes Count:           ${sb.inos}
    Chunk Size:             ${(rafs?.chunkSize ?? 0) / 1024}KB
    Root Inode:             ${sb.rootNid}
    Flags:                  ${rafsFlagNames(rafs?.flags ?? 0)}
    Blob table offset:      ${hex(blobTable.at)}
    Blob table size:        ${hex(blobTable.length)}
    Prefetch table offset:  ${hex(prefetchTable.at)}
    Prefetch table entries: ${hex(prefetchTable.length / 4)}
    Chunk table offset:     ${hex(chunkTable.at)}
    Chunk table size:       ${hex(chunkTable.length)}
    
`;
}

export function blobsText(view: ImageView): string {
  const { rafs, devices, sb } = view.tables;
  if (rafs !== undefined)
    return rafs.blobs
      .map((blob, i) => blobText(blob, i, elementAt(devices, i), rafs.chunkSize, sb.blockSize))
      .join("");
  return devices
    .map(
      ({ blocks, unifiedAt }, i) => `
Blob Index:             ${i}
Blob ID:                ${blobName(view, i)}
Blob Size:              ${blocks * sb.blockSize}
Mapped Block Address:   ${unifiedAt / sb.blockSize}
`,
    )
    .join("");
}

const blobText = (
  b: RafsBlob,
  index: number,
  device: Device,
  chunkSize: number,
  blockSize: number,
): string => `
Blob Index:             ${index}
Blob ID:                ${b.id}
Raw Blob ID:            ${b.id}
Blob Size:              ${b.compressedSize}
Compressed Data Size:   ${dataSize(b)}
Uncompressed Data Size: ${b.plainSize}
Mapped Block Address:   ${device.unifiedAt / blockSize}
Features:               ${blobFeatureNames(b.features)}
Compressor:             ${COMPRESSORS[0]}
Digester:               ${DIGESTERS[b.digest] ?? b.digest}
Cipher:                 None
Chunk Size:             ${hex(chunkSize)}
Chunk Count:            ${b.chunkCount}
Prefetch Table Offset:  0
Prefetch Table Size:    0
Meta Compressor:        ${COMPRESSORS[b.ciCompressor] ?? b.ciCompressor}
Meta Offset:            ${b.ciOffset}
Meta Compressed Size:   ${b.ciCompressedSize}
Meta Uncompressed Size: ${b.ciPlainSize}
ToC Digest:             ${Buffer.from(b.tocDigest).toString("hex")}
ToC Size:               ${b.tocSize}
RAFS Blob Digest:       ${Buffer.from(b.metaDigest).toString("hex")}
RAFS Blob Size:         ${b.metaSize}
`;

/** A blob that nydus packed has its chunk information behind the data; a tar has none. */
const dataSize = (b: RafsBlob): number =>
  b.features & META_IS_CAP_TAR_TOC && b.ciOffset > 0 && b.ciPlainSize > 0 ? b.ciOffset : b.compressedSize;
