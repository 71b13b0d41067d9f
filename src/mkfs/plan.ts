import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { OperationalError } from "../bytes/errors.ts";
import { fit32 } from "../bytes/fit.ts";
import { DOT, showName } from "../bytes/name.ts";
import { alignUp } from "../bytes/u64.ts";
import { CHUNK_INDEX_SIZE, MAX_CHUNK_NUMBER } from "../erofs/chunk.ts";
import { SLOT_SIZE } from "../erofs/device.ts";
import { DIRENT_SIZE } from "../erofs/dirent.ts";
import { INODE_EXTENDED, INODE_SLOT_SIZE } from "../erofs/inode.ts";
import { MAX_METADATA } from "../erofs/meta-file.ts";
import { BLOB_SIZE, BLOB_TABLE_ALIGN, DEVICES_AT, PREFETCH_ENTRY_SIZE } from "../erofs/rafs.ts";
import {
  BLOCK,
  BLOCK_BITS,
  blobsOf,
  chunkCount,
  isForNydusd,
  isWideBlock,
  mapEntries,
  runBits,
  runStride,
} from "./chunk-map.ts";
import { type WalkOrder, orderTree } from "./order.ts";
import { MetadataArea } from "./metadata-area.ts";
import { NONE, ROOT, type Tree } from "./tree.ts";

/** Between tars in the unified address space. */
const UNIFIED_ALIGN = 0x8_0000;
/** Blocks are numbered in 32 bits, in wide images in 48. */
const BLOCKS_32 = 2 ** 32;
const BLOCKS_48 = 2 ** 48;
/** Big regions of a bootstrap begin on this, whatever the block size. */
const REGION = 4096;
/** The first record: nids below 128 stay unused, as nydus leaves them. */
const FIRST_RECORD = 4096;

/** What a layer's tar, or its side blob, is to its image. */
export interface Blob {
  /** At most 64 bytes of ASCII. */
  readonly id: string;
  /** Bytes of the file. */
  readonly size: number;
}

/** What an image is made for. */
interface ImageForm {
  /** log2 of its block size. */
  readonly blockBits: number;
  /** Data lie behind the metadata, in the image itself, and no device is named. */
  readonly isWhole: boolean;
}

/** Metadata alone, in a tar's own blocks: data stay in the tars. */
const BOOTSTRAP: ImageForm = { blockBits: BLOCK_BITS, isWhole: false };

/** Every decision about an image, as data: where each thing goes, and nothing written yet. */
export interface Plan {
  readonly tree: Tree;
  readonly form: ImageForm;
  readonly order: WalkOrder;
  readonly chunkSize: number;
  /** The tree's blobs, and those of them that something refers to. */
  readonly allBlobs: readonly Blob[];
  readonly blobs: readonly Blob[];
  /** Some block has a number that takes more than 32 bits. */
  readonly isWide: boolean;
  /** By blob: byte of the unified address space, in which the image itself comes first; 0 for one that it has no room for. */
  readonly unifiedAt: readonly number[];
  /** Number of each of the tree's blobs in the image, NONE when nothing refers to it. */
  readonly blobOf: Int32Array;
  /** Chunks as nydus counts them: their numbers begin with 0 in each blob. */
  readonly chunkCounts: readonly number[];
  /** Nodes of the tree, as the superblock counts inodes: a name each. */
  readonly names: number;
  /** Inodes: those of several names once. */
  readonly inodes: number;
  /** By inode: byte of the metadata area. */
  readonly recordAt: Float64Array;
  /** By inode: byte of the metadata area where flat blocks begin, NONE without any. */
  readonly blocksAt: Float64Array;
  /** By inode: the running number. */
  readonly ino: Uint32Array;
  readonly links: Uint32Array;
  /** By directory, in walk order: bytes. */
  readonly directorySize: Uint32Array;
  /** Prefetch: nodes. */
  readonly prefetch: readonly number[];
  readonly hasXattrs: boolean;
  /** Bytes from the start of the image. */
  readonly blobTableAt: number;
  readonly prefetchAt: number;
  readonly metaAt: number;
  /** Where the layer's changes go, when it has them. */
  readonly changesAt: number;
  readonly size: number;
}

/**
 * Decides where everything goes.
 *
 * @param blobs what the tree's files point into, by their number there
 * @param prefetch nodes of files and directories to be read ahead, in order
 * @param keepsBlobs blobs that nothing refers to are declared all the same, behind the others
 * @param named what is built, for messages
 * @param form what else than a bootstrap is made
 * @throws OperationalError naming the entry, when something of it is more than the format can say, or a reader takes
 */
export function planImage(
  tree: Tree,
  blobs: readonly Blob[],
  chunkSize: number,
  prefetch: readonly number[],
  named: string,
  keepsBlobs = false,
  form = BOOTSTRAP,
): Plan {
  const blockSize = 2 ** form.blockBits;
  const order = orderTree(tree);
  const { directories, children, from } = order;
  const recordAt = new Float64Array(tree.inodes).fill(NONE);
  const blocksAt = new Float64Array(tree.inodes).fill(NONE);
  const ino = new Uint32Array(tree.inodes);
  const links = new Uint32Array(tree.inodes);
  const directorySize = new Uint32Array(directories.length);
  const slots = new MetadataArea(FIRST_RECORD, blockSize);
  const numbering = new BlobNumbers(blobs);
  let names = 1;
  let inodes = directories.length;
  let hasXattrs = false;

  /** A record and flat data behind it: inline where record and tail fit in a block. */
  const placeFlat = (inode: number, size: number) => {
    const fixed = INODE_EXTENDED + tree.xattrSize[inode];
    const inline = isInline(tree, inode, size, blockSize);
    recordAt[inode] = slots.record(inline ? fixed + (size % blockSize) : fixed, inline);
    const count = inline ? Math.floor(size / blockSize) : Math.ceil(size / blockSize);
    if (count > 0) blocksAt[inode] = slots.blocks(count);
  };
  const fail = (node: number, problem: string): never => {
    throw new OperationalError(`${named}: entry "${showName(tree.path(node))}": ${problem}`);
  };
  /** @returns entries of the index of a file that is not empty */
  const placeData = (node: number, inode: number): number => {
    const mapped = mapEntries(tree, inode);
    if (form.isWhole) return mapped || chunkCount(tree.size[inode], runBits(tree.size[inode], chunkSize));
    if (mapped > 0) {
      for (const blob of blobsOf(tree, inode)) numbering.use(blob, 0);
      return mapped;
    }
    const blob = tree.blob[inode];
    const blobSize = blobs[blob].size;
    const entries = Math.ceil(
      tree.size[inode] / runStride(runBits(tree.size[inode], chunkSize), chunkSize, blobSize),
    );
    const chunks = numbering.use(blob, isForNydusd(blobSize) ? entries : 0);
    if (chunks > MAX_CHUNK_NUMBER)
      fail(
        node,
        `with it its blob has ${chunks} chunks of ${chunkSize} bytes, want at most ${MAX_CHUNK_NUMBER} (--chunk-size)`,
      );
    return entries;
  };
  const placeOther = (node: number, inode: number) => {
    const type = tree.mode[inode] & S_IFMT;
    if (type === S_IFLNK) return placeFlat(inode, tree.size[inode]);
    let size = INODE_EXTENDED + tree.xattrSize[inode];
    if (type === S_IFREG && tree.size[inode] > 0)
      size = alignUp(size, CHUNK_INDEX_SIZE) + CHUNK_INDEX_SIZE * placeData(node, inode);
    recordAt[inode] = slots.record(size, false);
    if (slots.end > MAX_METADATA)
      fail(node, `with it the image takes ${slots.end} bytes, want at most ${MAX_METADATA}`);
  };

  ino[tree.inode[ROOT]] = 1;
  for (let d = 0; d < directories.length; d++) {
    const own = tree.inode[directories[d]];
    links[own] += 2;
    hasXattrs ||= tree.xattrSize[own] > 0;
    directorySize[d] = fit32(packedSize(tree, children, from[d], from[d + 1], blockSize));
    placeFlat(own, directorySize[d]);
    for (let c = from[d]; c < from[d + 1]; c++) {
      const inode = tree.inode[children[c]];
      names++;
      const isNew = ino[inode] === 0;
      if (isNew) ino[inode] = names;
      if ((tree.mode[inode] & S_IFMT) === S_IFDIR) {
        links[own]++;
        continue;
      }
      links[inode]++;
      if (!isNew) continue;
      inodes++;
      hasXattrs ||= tree.xattrSize[inode] > 0;
      placeOther(children[c], inode);
    }
  }

  numbering.keep(tree.changes?.blobs ?? []);
  // A device has one block at least.
  if (keepsBlobs) numbering.keep(blobs.flatMap(({ size: bytes }, i) => (bytes < BLOCK ? [] : [i])));
  const used = numbering.used;
  const blobTableAt = alignUp(DEVICES_AT + SLOT_SIZE * used.length, BLOB_TABLE_ALIGN);
  const prefetchAt = blobTableAt + BLOB_SIZE * used.length;
  const metaAt = used.length === 0 ? 0 : alignUp(prefetchAt + PREFETCH_ENTRY_SIZE * prefetch.length, REGION);
  const changesAt = metaAt + slots.end;
  const size = alignUp(changesAt + (tree.changes?.bytes.length ?? 0), REGION);
  if (size > MAX_METADATA)
    throw new OperationalError(`${named}: an image of ${size} bytes, want at most ${MAX_METADATA}`);
  const isWide = used.some((blob) => isWideBlock(blocksOf(blob)));
  return {
    tree,
    form,
    order,
    chunkSize,
    allBlobs: blobs,
    blobs: used,
    isWide,
    unifiedAt: unifiedPlaces(used, size, isWide ? BLOCKS_48 : BLOCKS_32),
    blobOf: numbering.numbers,
    chunkCounts: numbering.chunks,
    names,
    inodes,
    recordAt,
    blocksAt,
    ino,
    links,
    directorySize,
    prefetch: used.length === 0 ? [] : prefetch,
    hasXattrs,
    blobTableAt,
    prefetchAt,
    metaAt,
    changesAt,
    size,
  };
}

/** Whole blocks of a blob: its last bytes may be less than one. */
export const blocksOf = ({ size }: Blob): number => Math.floor(size / BLOCK);

/**
 * Where blobs lie in the unified address space, behind an image of so many bytes: that counts where image and blobs are
 * made one file. A blob that would lie behind the last block is not in it.
 */
function unifiedPlaces(blobs: readonly Blob[], imageSize: number, maxBlocks: number): number[] {
  let end = imageSize;
  return blobs.map((blob) => {
    const at = alignUp(end, UNIFIED_ALIGN);
    end = at + blocksOf(blob) * BLOCK;
    return end / BLOCK <= maxBlocks ? at : 0;
  });
}

/** Blobs are numbered as the walk meets them; one that nothing refers to is left out, unless it is used for nothing. */
class BlobNumbers {
  readonly used: Blob[] = [];
  readonly chunks: number[] = [];
  readonly numbers: Int32Array;
  private readonly blobs: readonly Blob[];

  constructor(blobs: readonly Blob[]) {
    this.blobs = blobs;
    this.numbers = new Int32Array(blobs.length).fill(NONE);
  }

  /** Declares blobs, whether something refers to them or not. */
  keep(blobs: Iterable<number>): void {
    for (const blob of blobs) this.use(blob, 0);
  }

  /** @returns chunks of it so far */
  use(blob: number, chunks: number): number {
    if (this.numbers[blob] === NONE) {
      this.numbers[blob] = this.used.push(this.blobs[blob]) - 1;
      this.chunks.push(0);
    }
    this.chunks[this.numbers[blob]] += chunks;
    return this.chunks[this.numbers[blob]];
  }
}

/** Bytes of a directory: blocks are filled while an entry and its name fit, the last one ends with its last name. */
function packedSize(tree: Tree, children: Int32Array, from: number, to: number, blockSize: number): number {
  let blocks = 0;
  let used = 0;
  // `.` and `..` take the same room wherever they sort, unless that moves a block's end: so in their places.
  forEachEntry(tree, children, from, to, (_, length) => {
    if (used + DIRENT_SIZE + length > blockSize) {
      blocks++;
      used = 0;
    }
    used += DIRENT_SIZE + length;
  });
  return blocks * blockSize + used;
}

/** Stands for `.` and `..` among the children of a directory. */
export const SELF = -2;
export const PARENT = -3;

/** Calls back for each entry of a directory in byte order, `.` and `..` among them. */
export function forEachEntry(
  tree: Tree,
  children: Int32Array,
  from: number,
  to: number,
  each: (node: number, length: number) => void,
): void {
  let dots = 0;
  for (let c = from; c < to; c++) {
    const node = children[c];
    while (dots < 2 && isAfterDots(tree, node, dots + 1)) each(dots++ === 0 ? SELF : PARENT, dots);
    each(node, tree.nameLength[node]);
  }
  while (dots < 2) each(dots++ === 0 ? SELF : PARENT, dots);
}

/** Whether a name sorts after `.` (one dot) or `..` (two). */
function isAfterDots(tree: Tree, node: number, dots: number): boolean {
  const at = tree.nameAt[node];
  for (let i = 0; i < dots; i++) {
    if (i === tree.nameLength[node]) return false;
    const byte = tree.pool.bytes[at + i];
    if (byte !== DOT) return byte > DOT;
  }
  return true;
}

/** nid of an inode: 32-byte slots from the metadata area's start. */
export const nidOf = (plan: Plan, inode: number): number => plan.recordAt[inode] / INODE_SLOT_SIZE;

/** Whether the data of a flat inode ends behind the inode. */
export const isInline = (tree: Tree, inode: number, size: number, blockSize: number): boolean => {
  const tail = size % blockSize;
  return tail > 0 && INODE_EXTENDED + tree.xattrSize[inode] + tail <= blockSize;
};
