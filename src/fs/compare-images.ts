import type { BlobFile } from "../blob/locate.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { compareBytes } from "../bytes/name.ts";
import { type Extent, HOLE, Image, INLINE, nodeCount } from "../erofs/image.ts";
import { nameOf, nextName } from "../vfs/entries.ts";
import { type Attr, compareNames, type Entry, newAttr, newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import { swapRoot } from "../vfs/node-id.ts";
import type { ImageFileSystem } from "./image-file-system.ts";
import { metadataOf, type OpenedImage } from "./open-image.ts";

/** What became of an image when another took its place. Nodes are those of `ImageFileSystem`. */
export interface Comparison {
  /**
   * By node of the new image: the node of the old one that it goes on from, 0 when it is new. A directory goes on under
   * the same path; anything else only when nothing about it changed. Shared memory.
   */
  readonly before: Uint32Array;
  /** By node of the old image: the node of the new one that goes on from it. */
  readonly after: Uint32Array;
  /** Names in old directories that go on, which lead to something else now, or to nothing, or did not exist. */
  readonly changed: readonly Name[];
  /** Old directories that go on with other attributes. */
  readonly touched: readonly number[];
  /** Names in old directories that lead to those. */
  readonly expired: readonly Name[];
}

interface Name {
  readonly directory: number;
  readonly name: Uint8Array;
}

/** Names, targets and attributes are compared at once; files by where their bytes lie. */
export function compareImages(older: OpenedImage, newer: OpenedImage): Comparison {
  return new Comparer(older, newer).run();
}

interface ComparedImage {
  readonly image: Image;
  readonly fs: ImageFileSystem;
  readonly files: readonly BlobFile[];
  readonly entry: Entry;
  readonly attr: Attr;
  readonly extent: Extent;
  /** Of one symlink, or of all xattrs of an inode. */
  readonly text: Uint8Array;
}

const ROOM = 128 * 1024;

function side(opened: OpenedImage): ComparedImage {
  return {
    image: new Image(opened.handle),
    fs: metadataOf(opened),
    files: opened.files,
    entry: newEntry(),
    attr: newAttr(),
    extent: { device: 0, address: 0, length: 0 },
    text: new Uint8Array(ROOM),
  };
}

class Comparer {
  private readonly a: ComparedImage;
  private readonly b: ComparedImage;
  private readonly before: Uint32Array;
  private readonly after: Uint32Array;
  private readonly changed: Name[] = [];
  private readonly expired: Name[] = [];
  private readonly touched: number[] = [];
  private readonly directories: [older: number, newer: number][] = [];

  constructor(older: OpenedImage, newer: OpenedImage) {
    this.a = side(older);
    this.b = side(newer);
    this.after = new Uint32Array(nodeCount(older.handle));
    this.before = new Uint32Array(new SharedArrayBuffer(4 * nodeCount(newer.handle)));
  }

  run(): Comparison {
    this.goOn(ROOT_NODE, ROOT_NODE);
    this.compareDirectory(ROOT_NODE, ROOT_NODE);
    for (let pair = this.directories.pop(); pair !== undefined; pair = this.directories.pop())
      this.compareEntries(...pair);
    const { before, after, changed, touched, expired } = this;
    return { before, after, changed, touched, expired };
  }

  private goOn(older: number, newer: number): void {
    this.after[older] = newer;
    this.before[newer] = older;
  }

  private compareDirectory(older: number, newer: number): void {
    this.directories.push([older, newer]);
    if (!this.hasSameAttr(older, newer) || !this.hasSameXattrs(older, newer)) this.touched.push(older);
  }

  /** Both list their names in one order. */
  private compareEntries(older: number, newer: number): void {
    const { a, b } = this;
    const nextOf = (of: ComparedImage, directory: number) => nextName(of.fs, directory, of.entry) === 1;
    a.entry.next = 0;
    b.entry.next = 0;
    let inA = nextOf(a, older);
    let inB = nextOf(b, newer);
    while (inA || inB) {
      const order = !inA ? 1 : !inB ? -1 : compareNames(a.entry, b.entry);
      if (order < 0) note(this.changed, older, a.entry);
      else if (order > 0) note(this.changed, older, b.entry);
      else {
        const touched = this.touched.length;
        if (!this.isSame(a.entry.node, b.entry.node)) note(this.changed, older, a.entry);
        else if (this.touched.length > touched) note(this.expired, older, a.entry);
      }
      if (order <= 0) inA = nextOf(a, older);
      if (order >= 0) inB = nextOf(b, newer);
    }
  }

  /** Whether what a name leads to goes on, which is then noted. */
  private isSame(older: number, newer: number): boolean {
    if (older === 0 || newer === 0) return false; // corrupt: nothing can be said of it
    if (this.after[older] !== 0 || this.before[newer] !== 0) return this.after[older] === newer;
    const { a, b } = this;
    a.fs.attr(older, a.attr);
    b.fs.attr(newer, b.attr);
    const type = a.attr.mode & S_IFMT;
    if (type !== (b.attr.mode & S_IFMT)) return false;
    if (type === S_IFDIR) {
      this.goOn(older, newer);
      this.compareDirectory(older, newer);
      return true;
    }
    if (!this.hasSameAttr(older, newer) || !this.hasSameXattrs(older, newer)) return false;
    if (type === S_IFREG && !this.hasSameData(older, newer)) return false;
    if (type === S_IFLNK && !this.hasSameTarget(older, newer)) return false;
    this.goOn(older, newer);
    return true;
  }

  private hasSameAttr(older: number, newer: number): boolean {
    const { a, b } = this;
    a.fs.attr(older, a.attr);
    b.fs.attr(newer, b.attr);
    const keys = ["mode", "nlink", "uid", "gid", "rdev", "size", "blocks", "mtime", "mtimeNsec"] as const;
    return keys.every((key) => a.attr[key] === b.attr[key]);
  }

  private hasSameXattrs(older: number, newer: number): boolean {
    const { a, b } = this;
    const length = xattrsOf(a, older);
    return length === xattrsOf(b, newer) && compareBytes(a.text, 0, length, b.text, 0, length) === 0;
  }

  private hasSameTarget(older: number, newer: number): boolean {
    const { a, b } = this;
    const length = a.fs.readlink(older, a.text, 0);
    return (
      length >= 0 &&
      length === b.fs.readlink(newer, b.text, 0) &&
      compareBytes(a.text, 0, length, b.text, 0, length) === 0
    );
  }

  /** Sizes are the same already. */
  private hasSameData(older: number, newer: number): boolean {
    const { a, b } = this;
    for (let at = 0; at < a.attr.size; ) {
      findExtent(a, older, at, a.attr.size);
      findExtent(b, newer, at, a.attr.size);
      const length = Math.min(a.extent.length, b.extent.length, a.attr.size - at);
      if (length <= 0 || !isSamePlace(a, b, length)) return false;
      at += length;
    }
    return true;
  }
}

function note(list: Name[], directory: number, entry: Entry): void {
  list.push({ directory, name: nameOf(entry) });
}

/** All names and values, put one after the other in `text`; bytes, or -errno. */
function xattrsOf(of: ComparedImage, node: number): number {
  if (!of.fs.traits.hasXattrs) return 0;
  const names = of.fs.listxattr(node, of.text, 0, ROOM, true);
  let end = Math.max(names, 0);
  for (let at = 0; at < names; ) {
    const length = of.text.indexOf(0, at) - at;
    const value = of.fs.getxattr(node, of.text, at, length, of.text, end, ROOM - end);
    if (value > 0) end += value;
    at += length + 1;
  }
  return names < 0 ? names : end;
}

function findExtent({ image, extent }: ComparedImage, node: number, at: number, size: number): void {
  image.extent(image.inodeAt(swapRoot(node, image.handle.rootNid)), at, size - at, extent);
}

function isSamePlace(a: ComparedImage, b: ComparedImage, length: number): boolean {
  if (a.extent.device === HOLE || b.extent.device === HOLE) return a.extent.device === b.extent.device;
  if (a.extent.device === INLINE || b.extent.device === INLINE)
    return (
      a.extent.device === b.extent.device &&
      compareBytes(a.image.bytes, a.extent.address, length, b.image.bytes, b.extent.address, length) === 0
    );
  const [one, other] = [a.files[a.extent.device], b.files[b.extent.device]];
  return (
    one !== undefined &&
    one.dev === other?.dev &&
    one.ino === other.ino &&
    a.extent.address === b.extent.address
  );
}
