import { alignUp } from "../bytes/u64.ts";
import { elementAt } from "../bytes/element-at.ts";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { type Device, putUnifiedBlock, SLOT_SIZE } from "../erofs/device.ts";
import type { ImageTables } from "../erofs/open.ts";
import { sealSuperblock } from "../erofs/superblock.ts";
import { FlatDisk, type Run } from "./flat-disk.ts";

/** Where nydus lets a blob begin. */
const BLOB_ALIGN = 512 << 10;
/** The image itself takes whole pages on its disk. */
const PAGE = 4096;

/** The disk of an image, and where each of its blobs lies there. */
export interface Layout {
  readonly disk: FlatDisk;
  readonly blobs: readonly BlobPlace[];
}

export interface BlobPlace {
  /** Byte of the disk. */
  readonly at: number;
  readonly length: number;
}

/**
 * The flattened disk of an image, as nydus-image lays it out: the image itself, then each blob at its address in the
 * unified space; what the image gives no such address gets the next one. A last block of a blob that is not whole is
 * left out. A disk that was flattened before is what it is.
 *
 * @param sizes length of each file, bytes: 0 is the image itself, i holds device slot i - 1
 * @throws FormatError when two parts would lie in one place; OperationalError when a blob is too short
 * @see nydus service/src/block_device.rs
 */
export function layoutOf(tables: ImageTables, sizes: readonly number[]): Layout {
  const { devices, sb, isFlat } = tables;
  const places = placesOf(tables);
  const last = places.reduce((most, { at, length }) => Math.max(most, at + length), 0);
  const size = last > 0 ? last : alignUp(elementAt(sizes, 0), Math.max(PAGE, sb.blockSize));
  if (isFlat)
    return {
      disk: new FlatDisk(size, ownRuns(tables, 0, size)),
      blobs: places,
    };
  mustLieApart(tables, elementAt(sizes, 0), places);
  places.forEach(({ length }, i) => {
    const found = elementAt(sizes, i + 1);
    if (found < length)
      throw new OperationalError(
        `blob ${elementAt(devices, i).id || i + 1}: ${found} bytes, the image says that it has ${length}`,
      );
  });
  const runs = places.map(({ at, length }, i): Run => ({ at, length, source: { file: i + 1, from: 0 } }));
  return {
    disk: new FlatDisk(size, [...imageRuns(tables, elementAt(sizes, 0), places), ...runs]),
    blobs: places,
  };
}

/** The image's bytes, with device slots that say where blobs are. */
function imageRuns(tables: ImageTables, size: number, places: readonly BlobPlace[]): Run[] {
  const { meta, sb, devices } = tables;
  if (devices.every(({ unifiedAt }) => unifiedAt > 0)) return ownRuns(tables, 0, size);
  const end = Math.min(size, alignUp(sb.devicesAt + devices.length * SLOT_SIZE, PAGE));
  const bytes = new Uint8Array(meta.view.buffer, meta.view.byteOffset, end).slice();
  const view = new DataView(bytes.buffer);
  places.forEach(({ at }, i) => {
    putUnifiedBlock(view, sb.devicesAt + i * SLOT_SIZE, at / sb.blockSize, sb.has48bit);
  });
  sealSuperblock(view);
  return [{ at: 0, length: end, source: { bytes } }, ...ownRuns(tables, end, size)];
}

/** `[at, end)` of the image: metadata are the bytes that were checked, whatever is written to the file meanwhile. */
const ownRuns = ({ meta }: ImageTables, at: number, end: number): Run[] =>
  [...meta.pieces(at, end)].map(({ at, end, bytes }) => ({
    at,
    length: end - at,
    source: bytes === undefined ? { file: 0, from: at } : { bytes },
  }));

function placesOf({ devices, sb, rafs, meta }: ImageTables): BlobPlace[] {
  // nydus goes by the blob table, whose blob may be longer than what files need of it.
  const bytesOf = ({ blocks }: Device, i: number) => rafs?.blobs[i]?.plainSize ?? blocks * sb.blockSize;
  let end = meta.size;
  return devices.map((device, i) => {
    const at = device.unifiedAt || alignUp(end, Math.max(BLOB_ALIGN, sb.blockSize));
    const length = Math.floor(bytesOf(device, i) / sb.blockSize) * sb.blockSize;
    end = Math.max(end, at + length);
    return { at, length };
  });
}

function mustLieApart({ meta, sb, devices }: ImageTables, size: number, places: readonly BlobPlace[]): void {
  const parts = places.map((place, i) => ({ ...place, i })).sort((a, b) => a.at - b.at);
  let end = size;
  let before = "the image itself";
  for (const { at, length, i } of parts) {
    const name = `blob ${elementAt(devices, i).id || i + 1}`;
    if (at < end)
      throw new FormatError(`${name} begins at byte ${at} of the disk, where ${before} goes on to ${end}`, {
        file: meta.file,
        at: sb.devicesAt + i * SLOT_SIZE,
      });
    end = at + length;
    if (!Number.isSafeInteger(end))
      throw new FormatError(`${name} would end at byte ${end} of the disk, want less than 2^53`, {
        file: meta.file,
        at: sb.devicesAt + i * SLOT_SIZE,
      });
    before = name;
  }
}
