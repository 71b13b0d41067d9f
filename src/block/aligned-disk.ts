import { elementAt } from "../bytes/element-at.ts";
import { OperationalError } from "../bytes/errors.ts";
import { alignUp } from "../bytes/u64.ts";
import { type Image, INLINE } from "../erofs/image.ts";
import { NULL_BLOCK } from "../erofs/inode.ts";
import type { ImageTables } from "../erofs/open.ts";
import { hasChunkMap } from "../mkfs/chunk-map.ts";
import { copyTree } from "../mkfs/copy-tree.ts";
import { type Plan, planImage } from "../mkfs/plan.ts";
import { placeOf, type Tree } from "../mkfs/tree.ts";
import { writeInodes, writeWholeSuperblock } from "../mkfs/write.ts";
import { type DataPart, type PartRun, partsOf } from "./data-parts.ts";
import { FlatDisk, type Run } from "./flat-disk.ts";

const BLOCK_BITS = 12;
/** The largest block that every kernel's EROFS takes, and the sector of the disks that want it. */
export const LARGE_BLOCK = 2 ** BLOCK_BITS;

/** A file that is not empty, by its inode in the tree, and the parts of its data. */
interface FileParts {
  readonly inode: number;
  readonly parts: readonly PlacedPart[];
}

interface PlacedPart extends DataPart {
  /** Byte behind the metadata. */
  at: number;
  /** The same bytes lie there already. */
  isTwin: boolean;
}

/**
 * The disk of an image for whoever reads in sectors of 4096 bytes: the same tree, in blocks of as many. In a tar files begin at any
 * 512 bytes, so each is moved to blocks of its own, and is read from the tar still; metadata are made anew. It names no devices.
 *
 * @param image whole tree checked, strictly
 * @param sizes length of each file, bytes: 0 is the image itself, i holds device slot i - 1
 * @throws OperationalError when it would have more blocks than the format, or more data than its files
 */
export function alignedDisk({ meta }: ImageTables, image: Image, sizes: readonly number[]): FlatDisk {
  const files: FileParts[] = [];
  const tree = copyTree(image, (inode, at) => {
    const parts = partsOf(image, at, LARGE_BLOCK, isSayable);
    files.push({ inode, parts: parts.map((part) => ({ ...part, at: 0, isTwin: false })) });
  });
  const parts = files.flatMap(({ parts }) => parts);
  const dataSize = place(parts);
  mustBeTheirs(parts, sizes, meta.file);
  for (const file of files) tellTree(tree, file);
  // Nothing of what the tree calls a blob is one to the image: it has no device.
  const blobs = [{ id: "", size: dataSize }];
  const form = { blockBits: BLOCK_BITS, isWhole: true };
  const plan = planImage(tree, blobs, LARGE_BLOCK, [], meta.file, false, form);
  const size = plan.size + dataSize;
  const blocks = size / LARGE_BLOCK;
  if (blocks >= NULL_BLOCK)
    throw new OperationalError(`${meta.file}: a disk of ${blocks} blocks, want less than ${NULL_BLOCK}`);
  const runs: Run[] = [{ at: 0, length: plan.size, source: { bytes: metadata(plan, blocks) } }];
  for (const part of parts)
    if (!part.isTwin)
      for (const run of part.runs)
        runs.push({ at: plan.size + part.at + run.offset, length: run.length, source: sourceOf(image, run) });
  return new FlatDisk(size, runs);
}

/** In memory that the threads which read the disk share. */
function metadata(plan: Plan, blocks: number): Uint8Array {
  const made = writeInodes(plan, { isRepeatable: false });
  writeWholeSuperblock(plan, made, blocks);
  const bytes = new Uint8Array(new SharedArrayBuffer(made.length));
  bytes.set(made);
  return bytes;
}

const sourceOf = ({ bytes }: Image, { device, address, length }: PartRun): Run["source"] =>
  device === INLINE ? { bytes: bytes.subarray(address, address + length) } : { file: device, from: address };

/** Whether chunk indexes can say which parts a file has: else its holes become holes of the disk. */
const isSayable = (parts: readonly DataPart[], size: number): boolean =>
  hasChunkMap(
    parts.map(({ offset, length }) => ({ offset, length, dataAt: 0 })),
    size,
  );

/** Gives each part its place, in the order of the tars; the same bytes have one. @returns where they end */
function place(parts: readonly PlacedPart[]): number {
  let end = 0;
  let before: PlacedPart | undefined;
  for (const part of [...parts].sort(byTars)) {
    if (before !== undefined && areSame(part, before)) {
      part.isTwin = true;
      part.at = before.at;
      continue;
    }
    part.at = end;
    end = alignUp(end + part.length, LARGE_BLOCK);
    before = part;
  }
  return end;
}

function byTars(a: DataPart, b: DataPart): number {
  const [one, other] = [elementAt(a.runs, 0), elementAt(b.runs, 0)];
  return one.device - other.device || one.address - other.address || a.length - b.length;
}

const areSame = (a: DataPart, b: DataPart): boolean =>
  byTars(a, b) === 0 && a.runs.length === 1 && b.runs.length === 1 && startOf(a) === startOf(b);

const startOf = ({ runs }: DataPart): number => elementAt(runs, 0).offset;

/** @throws OperationalError when files have parts of the tars in common: a small image could ask for a disk of any size */
function mustBeTheirs(parts: readonly PlacedPart[], sizes: readonly number[], file: string): void {
  const there = sizes.reduce((sum, size) => sum + size, 0);
  let wanted = 0;
  for (const { runs, isTwin } of parts) if (!isTwin) for (const { length } of runs) wanted += length;
  if (wanted > there)
    throw new OperationalError(
      `${file}: its files have ${wanted} bytes of data, it and its blobs ${there}: what several files have a part of is not moved`,
    );
}

/** Says where the data of a file are. */
function tellTree(tree: Tree, { inode, parts }: FileParts): void {
  const pieces = parts.map(({ offset, length, at }) => ({ offset, length, dataAt: at, blob: 0 }));
  const { where, pieces: sparse } = placeOf(pieces, tree.size[inode] ?? 0);
  tree.where[inode] = where;
  if (sparse !== undefined) tree.pieces.set(inode, sparse);
}
