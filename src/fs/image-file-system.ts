import type { BlobFiles } from "../blob/blob-files.ts";
import * as errno from "../bytes/errno.ts";
import { MAX_NAME, MAX_PATH } from "../bytes/limits.ts";
import { DOT } from "../bytes/name.ts";
import {
  DIRENT_SIZE,
  DT_OF_TYPE,
  direntCount,
  direntNameOff,
  direntNid,
  direntType,
  nameLength,
} from "../erofs/dirent.ts";
import { type Extent, HOLE, type Image, INLINE } from "../erofs/image.ts";
import * as inode from "../erofs/inode.ts";
import {
  type Attr,
  DT_DIRECTORY,
  type Entry,
  type FileSystem,
  type Statfs,
  type Traits,
} from "../vfs/file-system.ts";
import { swapRoot } from "../vfs/node-id.ts";
import { getxattr, listxattr } from "./xattrs.ts";

/** Bytes that hardly a device has: what is read behind them only seems to be in the next one, to whoever looks for order. */
const DEVICE_SPAN = 2 ** 44;
/** Cookie of the first entry on disk in a directory whose `.` is not there. */
const AFTER_DOT = 1;

/**
 * Implements the interface `vfs` for one image: metadata from EROFS bytes in memory, data from its blobs. A node is a nid; only the root, which FUSE calls 1, changes
 * places with whatever inode has nid 1. So there is no state per node.
 */
export class ImageFileSystem implements FileSystem {
  readonly traits: Traits;
  private readonly image: Image;
  private readonly blobs: BlobFiles;
  private readonly rootNid: number;
  private readonly extent: Extent = { device: 0, address: 0, length: 0 };

  /** @param blobs file 0 is the image itself, file i holds device slot i - 1 */
  constructor(image: Image, blobs: BlobFiles) {
    this.image = image;
    this.blobs = blobs;
    this.rootNid = image.handle.rootNid;
    this.traits = { hasXattrs: image.handle.hasXattrs, hasAcls: image.handle.hasAcls };
  }

  lookup(parent: number, bytes: Uint8Array, nameAt: number, nameLength: number): number {
    const nid = this.swap(parent);
    if (!this.image.isValid(nid)) return -errno.EUCLEAN;
    if (nameLength === 1 && bytes[nameAt] === DOT) return parent;
    const at = this.image.inodeAt(nid);
    if (this.typeAt(at) !== errno.S_IFDIR) return -errno.ENOTDIR;
    if (nameLength > MAX_NAME) return -errno.ENAMETOOLONG;
    const found = this.image.find(at, bytes, nameAt, nameLength);
    if (found === 0) return 0;
    return this.image.isValid(found) ? this.swap(found) : -errno.EUCLEAN;
  }

  attr(node: number, into: Attr): number {
    const nid = this.swap(node);
    if (!this.image.isValid(nid)) return -errno.EUCLEAN;
    const { v, handle, blockSize } = this.image;
    const at = this.image.inodeAt(nid);
    const mode = inode.inodeMode(v, at);
    const type = mode & errno.S_IFMT;
    const size = inode.inodeSize(v, at);
    into.ino = nid;
    into.generation = 0;
    into.mode = mode;
    into.nlink = inode.inodeNlink(v, at);
    into.uid = inode.inodeUid(v, at);
    into.gid = inode.inodeGid(v, at);
    into.rdev = type === errno.S_IFCHR || type === errno.S_IFBLK ? inode.inodeRdev(v, at) : 0;
    into.size = size;
    // As fs/erofs/inode.c: round_up(i_size, block size) >> 9.
    into.blocks = (Math.ceil(size / blockSize) * blockSize) / 512;
    into.mtime = inode.inodeMtime(v, at, handle.epoch);
    if (!Number.isSafeInteger(into.mtime)) {
      into.mtimeLow = inode.inodeMtimeLow(v, at);
      into.mtimeHigh = inode.inodeMtimeHigh(v, at);
    }
    into.mtimeNsec = inode.inodeMtimeNsec(v, at, handle.fixedNsec);
    return 0;
  }

  /** The cookie is the entry's byte position in the directory, as in the kernel: stable, and O(1) to seek to. */
  entry(node: number, cookie: number, into: Entry): number {
    const nid = this.swap(node);
    if (!this.image.isValid(nid)) return -errno.EUCLEAN;
    const { v, blockSize } = this.image;
    const at = this.image.inodeAt(nid);
    if (this.typeAt(at) !== errno.S_IFDIR) return -errno.ENOTDIR;
    const withoutDot = inode.inodeBit4(v, at);
    into.directory = node;
    into.count = 0;
    if (withoutDot && cookie === 0) {
      this.fill(into, nid, DT_DIRECTORY, AFTER_DOT);
      into.bytes = DOT_NAME;
      into.nameAt = 0;
      into.nameLength = 1;
      return 1;
    }
    const size = inode.inodeSize(v, at);
    const position = withoutDot ? cookie - AFTER_DOT : cookie;
    const k = Math.floor(position / blockSize);
    if (k * blockSize >= size) return 0;
    into.block = this.image.flatBlockAt(at, k);
    into.blockEnd = Math.min(blockSize, size - k * blockSize);
    into.blockCookie = k * blockSize + (withoutDot ? AFTER_DOT : 0);
    into.count = direntCount(v, into.block);
    into.index = Math.ceil((position - k * blockSize) / DIRENT_SIZE);
    // A position among the names: seekdir to what was never given out. The next block goes on.
    if (into.index >= into.count) return this.entry(node, into.blockCookie + blockSize, into);
    return this.entryHere(into);
  }

  nextEntry(into: Entry): number {
    if (++into.index >= into.count) return this.entry(into.directory, into.next, into);
    return this.entryHere(into);
  }

  private entryHere(into: Entry): number {
    const { v, bytes, blockSize } = this.image;
    const { block, index, count } = into;
    const entry = block + index * DIRENT_SIZE;
    const target = direntNid(v, entry);
    const type = direntType(v, entry);
    const next = index + 1 < count ? (index + 1) * DIRENT_SIZE : blockSize;
    this.fill(into, target, DT_OF_TYPE[type] ?? 0, into.blockCookie + next);
    if (type === 0 && into.node !== 0)
      into.type = errno.dtOfMode(inode.inodeMode(v, this.image.inodeAt(target)));
    into.bytes = bytes;
    into.nameAt = block + direntNameOff(v, entry);
    into.nameLength = nameLength(v, bytes, block, into.blockEnd, index, count);
    // As the kernel's EROFS: the listing ends here, what comes before and lookups of other names are as ever.
    return into.nameLength > MAX_NAME ? -errno.EUCLEAN : 1;
  }

  read(node: number, offset: number, length: number, out: Uint8Array, at: number): number {
    const nid = this.swap(node);
    if (!this.image.isValid(nid)) return -errno.EUCLEAN;
    const inodeAt = this.image.inodeAt(nid);
    const type = this.typeAt(inodeAt);
    if (type !== errno.S_IFREG) return type === errno.S_IFDIR ? -errno.EISDIR : -errno.EINVAL;
    const size = inode.inodeSize(this.image.v, inodeAt);
    const end = Math.min(offset + length, size);
    let done = 0;
    while (offset + done < end) {
      this.image.extent(inodeAt, offset + done, end - offset - done, this.extent);
      const n = Math.min(this.extent.length, end - offset - done);
      const result = this.readExtent(n, out, at + done);
      // Never a short answer: to the kernel that is the end of the file. It asks again page by page.
      if (result < 0) return result;
      done += n;
    }
    return done;
  }

  readFrom(): number {
    return this.extent.device * DEVICE_SPAN + this.extent.address;
  }

  private readExtent(length: number, out: Uint8Array, at: number): number {
    const { device, address } = this.extent;
    if (device >= 0) return this.blobs.read(device, address, length, out, at);
    if (device === HOLE) {
      out.fill(0, at, at + length);
      return length;
    }
    if (device !== INLINE) return -errno.EIO;
    this.image.copy(address, length, out, at);
    return length;
  }

  readlink(node: number, out: Uint8Array, at: number): number {
    const nid = this.swap(node);
    if (!this.image.isValid(nid)) return -errno.EUCLEAN;
    const inodeAt = this.image.inodeAt(nid);
    if (this.typeAt(inodeAt) !== errno.S_IFLNK) return -errno.EINVAL;
    // As Linux: a target is a path, and ends at a NUL.
    const size = Math.min(inode.inodeSize(this.image.v, inodeAt), MAX_PATH);
    this.image.copyFlat(inodeAt, size, out, at);
    for (let i = 0; i < size; i++) if (out[at + i] === 0) return i;
    return size;
  }

  getxattr(
    node: number,
    bytes: Uint8Array,
    nameAt: number,
    nameLength: number,
    out: Uint8Array,
    at: number,
    room: number,
  ): number {
    const nid = this.swap(node);
    if (!this.image.isValid(nid)) return -errno.EUCLEAN;
    return getxattr(this.image, this.image.inodeAt(nid), bytes, nameAt, nameLength, out, at, room);
  }

  listxattr(node: number, out: Uint8Array, at: number, room: number, privileged: boolean): number {
    const nid = this.swap(node);
    if (!this.image.isValid(nid)) return -errno.EUCLEAN;
    return listxattr(this.image, this.image.inodeAt(nid), out, at, room, privileged);
  }

  statfs(_: number, into: Statfs): number {
    into.blocks = this.image.handle.totalBlocks;
    into.blockSize = this.image.blockSize;
    into.files = this.image.handle.inos;
    return 0;
  }

  private fill(into: Entry, nid: number, type: number, next: number): void {
    into.ino = nid;
    into.node = this.image.isValid(nid) ? this.swap(nid) : 0;
    into.type = type;
    into.next = next;
  }

  private typeAt(at: number): number {
    return inode.inodeMode(this.image.v, at) & errno.S_IFMT;
  }

  private swap(id: number): number {
    return swapRoot(id, this.rootNid);
  }
}

const DOT_NAME = Uint8Array.of(DOT);
