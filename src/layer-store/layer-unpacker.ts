import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { FormatError } from "../bytes/errors.ts";
import { forEachDirent } from "../erofs/directory.ts";
import { type Extent, HOLE } from "../erofs/image.ts";
import * as inode from "../erofs/inode.ts";
import { readXattrs } from "../erofs/xattr-area.ts";
import { markerOf, MARKER_LENGTH } from "../mkfs/whiteout.ts";
import { setTimes, setXattr } from "../syscalls/attributes.ts";
import { makeNode } from "../syscalls/mknod.ts";
import { type LowerDirectories, makeOpaque, makeWhiteout } from "./overlay.ts";
import type { OpenLayer } from "./unpack-layer.ts";

const STEP = 1 << 20;
const SLASH = Buffer.from("/");

/** A directory that is made. */
interface Made {
  readonly nid: number;
  readonly path: Buffer;
  /** Names that lead to it. */
  readonly names: readonly Buffer[];
}

/**
 * Makes the files of a layer by its checked tree, in which every parent is a directory: no name leads out of where it begins.
 * What the layer takes away becomes what overlayfs has for that.
 */
export class LayerUnpacker {
  private readonly layer: OpenLayer;
  private readonly below: LowerDirectories;
  /** The first path of each file that has several names. */
  private readonly first = new Map<number, Buffer>();
  private readonly buffer = Buffer.allocUnsafe(STEP);

  /** @param below where attributes are looked up of directories that the layer only passes through */
  constructor(layer: OpenLayer, below: LowerDirectories) {
    this.layer = layer;
    this.below = below;
  }

  unpack(directory: string): void {
    const { rootNid } = this.layer.image.handle;
    const made: Made[] = [{ nid: rootNid, path: Buffer.from(directory), names: [] }];
    for (let i = 0; i < made.length; i++) made.push(...this.fill(made[i] as Made));
    // What was made in a directory has changed its time.
    for (const each of made.reverse()) this.finish(each);
  }

  /** @returns directories in it */
  private fill({ nid, path, names }: Made): Made[] {
    const { image } = this.layer;
    const { bytes } = image;
    const directories: Made[] = [];
    const gone: Buffer[] = [];
    let isOpaque = false;
    forEachDirent(image, image.inodeAt(nid), (child, at, length) => {
      const name = Buffer.from(bytes.subarray(at, at + length));
      const marker = this.isEmpty(child) ? markerOf(bytes, at, length) : "itself";
      if (marker === "opaque") isOpaque = true;
      else if (marker === "gone") gone.push(name.subarray(MARKER_LENGTH));
      else {
        const to = Buffer.concat([path, SLASH, name]);
        if (this.typeOf(child) !== S_IFDIR) this.make(child, to);
        else {
          mkdirSync(to);
          directories.push({ nid: child, path: to, names: [...names, name] });
        }
      }
    });
    if (isOpaque) makeOpaque(path);
    for (const name of gone) this.takeAway(nid, { path, names }, name);
    return directories;
  }

  /** What the layer brings stays; below a directory that it brings there is nothing of lower layers any more. */
  private takeAway(nid: number, { path, names }: Omit<Made, "nid">, name: Buffer): void {
    const { image } = this.layer;
    const to = Buffer.concat([path, SLASH, name]);
    const own = image.find(image.inodeAt(nid), name, 0, name.length);
    if (own !== 0) {
      if (this.typeOf(own) === S_IFDIR) makeOpaque(to);
    }
    // overlayfs lists a whiteout of nothing in a directory that is in no lower layer.
    else if (this.below.has([...names, name])) makeWhiteout(to);
  }

  private typeOf(nid: number): number {
    const { image } = this.layer;
    return inode.inodeMode(image.v, image.inodeAt(nid)) & S_IFMT;
  }

  private isEmpty(nid: number): boolean {
    let count = 0;
    const { image } = this.layer;
    if (this.typeOf(nid) === S_IFDIR) forEachDirent(image, image.inodeAt(nid), () => count++);
    return count === 0;
  }

  private make(nid: number, path: Buffer): void {
    const { image } = this.layer;
    const at = image.inodeAt(nid);
    const earlier = this.first.get(nid);
    if (earlier !== undefined) {
      linkSync(earlier, path);
      return;
    }
    if (inode.inodeNlink(image.v, at) > 1) this.first.set(nid, path);
    const mode = inode.inodeMode(image.v, at);
    if ((mode & S_IFMT) === S_IFREG) this.copy(at, path);
    else if ((mode & S_IFMT) === S_IFLNK) {
      const target = Buffer.alloc(inode.inodeSize(image.v, at));
      image.copyFlat(at, target.length, target, 0);
      symlinkSync(target, path);
    } else makeNode(path, mode, inode.inodeRdev(image.v, at));
    this.dress(at, path);
    this.setTime(at, path);
  }

  /** Owner first: that takes bits of the mode and capabilities away. */
  private dress(at: number, path: Buffer): void {
    const { image } = this.layer;
    const { v } = image;
    const mode = inode.inodeMode(v, at);
    lchownSync(path, inode.inodeUid(v, at), inode.inodeGid(v, at));
    if ((mode & S_IFMT) !== S_IFLNK) chmodSync(path, mode & 0o7777);
    for (const { name, value } of readXattrs(image, at)) setXattr(path, name, value);
  }

  private setTime(at: number, path: Buffer): void {
    const { v, handle } = this.layer.image;
    setTimes(path, inode.inodeMtime(v, at, handle.epoch), inode.inodeMtimeNsec(v, at, handle.fixedNsec));
  }

  /** A directory that the layer only passes through looks as it does below: it hides that. */
  private finish({ nid, path, names }: Made): void {
    const { image } = this.layer;
    const at = image.inodeAt(nid);
    if (inode.inodeIsImplicit(image.v, at) && this.below.dress(path, names)) return;
    this.dress(at, path);
    this.setTime(at, path);
  }

  private copy(at: number, path: Buffer): void {
    const { image } = this.layer;
    const size = inode.inodeSize(image.v, at);
    const extent: Extent = { device: 0, address: 0, length: 0 };
    const fd = openSync(path, "wx", 0o600);
    try {
      for (let done = 0; done < size; done += extent.length) {
        image.extent(at, done, size, extent);
        if (extent.device !== HOLE) this.copyRun(extent, fd, done, size);
      }
      ftruncateSync(fd, size);
    } finally {
      closeSync(fd);
    }
  }

  private copyRun({ device, address, length }: Extent, fd: number, to: number, size: number): void {
    const { image, devices } = this.layer;
    const from = devices[device - 1];
    if (from === undefined)
      throw new FormatError("its data lies in the image itself, want it in a blob", {
        file: image.handle.file,
        at: address,
      });
    const wanted = Math.min(length, size - to);
    for (let done = 0; done < wanted; ) {
      const n = readSync(from, this.buffer, 0, Math.min(STEP, wanted - done), address + done);
      if (n === 0)
        throw new FormatError("its tar became shorter", { file: image.handle.file, at: address + done });
      writeWhole(fd, this.buffer.subarray(0, n), to + done);
      done += n;
    }
  }
}

function writeWhole(fd: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}
