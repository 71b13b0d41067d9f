import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { put16 } from "../bytes/fit.ts";
import { DOT } from "../bytes/name.ts";
import { putDevice, SLOT_SIZE } from "../erofs/device.ts";
import { DIRENT_SIZE, putDirent, typeOfMode } from "../erofs/dirent.ts";
import {
  CHUNK_BASED,
  FLAT_INLINE,
  FLAT_PLAIN,
  INODE_EXTENDED,
  type InodeFields,
  putInode,
} from "../erofs/inode.ts";
import { DEVICES_AT, putRafs, type TableRange } from "../erofs/rafs.ts";
import { putSingleDevice, putSuperblock } from "../erofs/superblock.ts";
import { BLOCK, BLOCK_BITS, isWideBlock } from "./chunk-map.ts";
import { DEVICES_IN_CHANGES } from "./change-record.ts";
import { ChunkIndexes } from "./chunk-indexes.ts";
import { blocksOf, forEachEntry, isInline, nidOf, PARENT, type Plan, SELF } from "./plan.ts";
import { FLAG, ROOT } from "./tree.ts";

/** What the plan does not decide. */
export interface Style {
  /** Leave owners out: everything belongs to root (`--repeatable`). */
  readonly isRepeatable: boolean;
}

/** Writes the planned image into one array, deciding nothing; all but `writeTables`, for which ids must be known. */
export function writeInodes(plan: Plan, style: Style): Uint8Array {
  const bytes = new Uint8Array(plan.size);
  writeTree(plan, bytes, new DataView(bytes.buffer), style);
  return bytes;
}

/**
 * The superblock of an image that holds its data itself.
 *
 * @param blocks of metadata and data
 */
export function writeWholeSuperblock(plan: Plan, image: Uint8Array, blocks: number): void {
  const v = new DataView(image.buffer, image.byteOffset);
  const { isWide, metaAt, names, form } = plan;
  const { blockBits } = form;
  const rootNid = nidOf(plan, plan.tree.inode[ROOT]);
  const metaBlock = metaAt / 2 ** blockBits;
  putSuperblock(v, { blockBits, rootNid, inos: names, blocks, metaBlock, devices: 0, devicesAt: 0, isWide });
  putSingleDevice(v, blocks, isWide);
}

/** Superblock, devices and blob table. */
export function writeTables(plan: Plan, image: Uint8Array, style: Style): void {
  const v = new DataView(image.buffer);
  const { blobs, isWide } = plan;
  const blocks = blobs.reduce((sum, blob) => sum + blocksOf(blob), 0);
  putSuperblock(v, {
    blockBits: BLOCK_BITS,
    rootNid: nidOf(plan, plan.tree.inode[ROOT]),
    inos: plan.names,
    // Where the sum is too much for the field, what mkfs.erofs has there. The kernel adds the devices to either.
    blocks: isWide || !isWideBlock(blocks) ? blocks : plan.size / BLOCK,
    metaBlock: plan.metaAt / BLOCK,
    devices: blobs.length,
    devicesAt: DEVICES_AT,
    isWide,
  });
  putRafs(v, {
    hasXattrs: plan.hasXattrs,
    hasOwners: !style.isRepeatable,
    chunkSize: plan.chunkSize,
    blobTableAt: plan.blobTableAt,
    blobs: blobs.map((blob, i) => ({ ...blob, chunks: plan.chunkCounts[i] })),
    changes: writeChanges(plan, image),
    prefetchAt: plan.prefetch.length > 0 ? plan.prefetchAt : 0,
    prefetch: plan.prefetch.map((node) => nidOf(plan, plan.tree.inode[node])),
  });
  blobs.forEach((blob, i) => {
    const slot = { id: blob.id, blocks: blocksOf(blob), unifiedBlock: plan.unifiedAt[i] / BLOCK };
    putDevice(v, DEVICES_AT + SLOT_SIZE * i, slot, isWide);
  });
}

/** The changes of a layer, with the devices that its blobs have become. @returns where they are */
function writeChanges({ tree, changesAt, blobOf }: Plan, image: Uint8Array): TableRange {
  const { changes } = tree;
  if (changes === undefined) return { at: 0, length: 0 };
  image.set(changes.bytes, changesAt);
  const v = new DataView(image.buffer, image.byteOffset);
  for (const [blob, device] of blobOf.entries())
    put16(v, changesAt + DEVICES_IN_CHANGES + 2 * blob, device + 1);
  return { at: changesAt, length: changes.bytes.length };
}

function writeTree(plan: Plan, bytes: Uint8Array, v: DataView, { isRepeatable }: Style): void {
  const { tree, order, metaAt } = plan;
  const { directories, children, from } = order;
  const indexes = new ChunkIndexes(plan, v);
  const fields: InodeFields = {
    layout: 0,
    xattrBytes: 0,
    mode: 0,
    size: 0,
    u: 0,
    ino: 0,
    uid: 0,
    gid: 0,
    mtime: 0,
    mtimeNsec: 0,
    nlink: 0,
    isImplicit: false,
  };
  const written = new Uint8Array(tree.inodes);
  const blockSize = 2 ** plan.form.blockBits;
  let left = plan.inodes;
  const writeInode = (inode: number, layout: number, size: number, u: number): number => {
    if (written[inode] === 1) throw new Error(`inode ${inode} would be written twice`);
    written[inode] = 1;
    left--;
    const at = metaAt + plan.recordAt[inode];
    const xattrBytes = tree.xattrSize[inode];
    fields.layout = layout;
    fields.xattrBytes = xattrBytes;
    fields.mode = tree.mode[inode];
    fields.size = size;
    fields.u = u;
    fields.ino = plan.ino[inode];
    fields.uid = isRepeatable ? 0 : tree.uid[inode];
    fields.gid = isRepeatable ? 0 : tree.gid[inode];
    fields.mtime = tree.mtime[inode];
    fields.mtimeNsec = tree.mtimeNsec[inode];
    fields.nlink = plan.links[inode];
    fields.isImplicit = (tree.flags[inode] & FLAG.IMPLICIT) !== 0;
    putInode(v, at, fields);
    copy(tree.pool.bytes, tree.xattrAt[inode], xattrBytes, bytes, at + INODE_EXTENDED);
    return at + INODE_EXTENDED + xattrBytes;
  };
  /** @returns where block `k` of flat data goes */
  const writeFlat = (inode: number, size: number): ((k: number) => number) => {
    const inline = isInline(tree, inode, size, blockSize);
    const start = plan.blocksAt[inode] < 0 ? 0 : metaAt + plan.blocksAt[inode];
    const behind = writeInode(inode, inline ? FLAT_INLINE : FLAT_PLAIN, size, start / blockSize);
    const tail = inline ? Math.floor(size / blockSize) : -1;
    return (k) => (k === tail ? behind : start + k * blockSize);
  };

  for (let d = 0; d < directories.length; d++) {
    const own = directories[d];
    const blockAt = writeFlat(tree.inode[own], plan.directorySize[d]);
    writeDirectory(plan, d, blockAt, bytes, v);
    for (let c = from[d]; c < from[d + 1]; c++) {
      const inode = tree.inode[children[c]];
      const type = tree.mode[inode] & S_IFMT;
      if (type === S_IFDIR || written[inode] === 1) continue;
      if (type === S_IFLNK) writeSymlink(inode);
      else if (type === S_IFREG) {
        writeInode(inode, CHUNK_BASED, tree.size[inode], indexes.formatOf(inode));
        indexes.write(inode, metaAt + plan.recordAt[inode]);
      } else writeInode(inode, FLAT_PLAIN, 0, type === S_IFCHR || type === S_IFBLK ? tree.where[inode] : 0);
    }
  }
  if (left !== 0) throw new Error(`${left} inodes of ${plan.inodes} were not written`);

  function writeSymlink(inode: number): void {
    const size = tree.size[inode];
    const blockAt = writeFlat(inode, size);
    for (let done = 0; done < size; done += blockSize)
      copy(
        tree.pool.bytes,
        tree.where[inode] + done,
        Math.min(blockSize, size - done),
        bytes,
        blockAt(done / blockSize),
      );
  }
}

function writeDirectory(
  plan: Plan,
  d: number,
  blockAt: (k: number) => number,
  bytes: Uint8Array,
  v: DataView,
): void {
  const { tree, order } = plan;
  const self = order.directories[d];
  const size = plan.directorySize[d];
  const blockSize = 2 ** plan.form.blockBits;
  const inodeOf = (node: number) =>
    tree.inode[node === SELF ? self : node === PARENT ? (self === ROOT ? ROOT : tree.parent[self]) : node];
  // Entries of one block, until it is full and its names can be placed behind them.
  let nodes: number[] = [];
  let used = 0;
  let k = 0;
  const flush = () => {
    const block = blockAt(k);
    let name = nodes.length * DIRENT_SIZE;
    nodes.forEach((node, i) => {
      const inode = inodeOf(node);
      putDirent(v, block + i * DIRENT_SIZE, nidOf(plan, inode), name, typeOfMode(tree.mode[inode]));
      if (node < 0) {
        for (let dot = 0; dot < (node === SELF ? 1 : 2); dot++) bytes[block + name++] = DOT;
        return;
      }
      copy(tree.pool.bytes, tree.nameAt[node], tree.nameLength[node], bytes, block + name);
      name += tree.nameLength[node];
    });
    nodes = [];
    used = 0;
    k++;
  };
  forEachEntry(tree, order.children, order.from[d], order.from[d + 1], (node, length) => {
    if (used + DIRENT_SIZE + length > blockSize) flush();
    nodes.push(node);
    used += DIRENT_SIZE + length;
  });
  flush();
  if (k !== Math.ceil(size / blockSize)) throw new Error(`a directory of ${size} bytes took ${k} blocks`);
}

function copy(from: Uint8Array, at: number, length: number, to: Uint8Array, toAt: number): void {
  for (let i = 0; i < length; i++) to[toAt + i] = from[at + i];
}
