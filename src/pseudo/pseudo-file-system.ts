import { EINVAL, EISDIR, ENODATA, ENOENT, ENOTDIR, ESTALE, S_IFDIR } from "../bytes/errno.ts";
import { DOT } from "../bytes/name.ts";
import type { Attr, Entry, FileSystem, Statfs, Traits } from "../vfs/file-system.ts";
import { compareNames, DT_DIRECTORY, newEntry, ROOT_NODE } from "../vfs/file-system.ts";
import { localOf, nodeIn, slotOf, swapRoot, VIRTUAL } from "../vfs/node-id.ts";
import type { FileSystemOf, ImagePlacement, TreeChange } from "./change.ts";
import { Directory } from "./directory.ts";

const DOTS = Uint8Array.of(DOT, DOT);
const DIRECTORY_MODE = S_IFDIR | 0o755;
/** More than a directory has bytes. */
const COOKIES = 2 ** 40;
/** Cookies of `.` and `..` come before those of items. */
export const FIRST_COOKIE = 2;

/** An image in its place. */
interface MountedImage extends ImagePlacement {
  readonly fs: FileSystem;
  /** Its node 0. */
  readonly base: number;
  readonly names: Float64Array | undefined;
  readonly before: Uint32Array | undefined;
  /** Added to the cookies of its listings: tells them from those of the images that were here before. */
  readonly tag: number;
  remap: Float64Array | undefined;
}

/**
 * Many images as one file system: virtual directories lead to the root of each. A node carries the slot of the image
 * it is of (vfs/node-id). What an image answers is passed on; only nodes and inode numbers are made those of the
 * whole.
 */
export class PseudoFileSystem implements FileSystem {
  readonly traits: Traits;
  private readonly mtime: number;
  private readonly images: (MountedImage | undefined)[] = [];
  private readonly directories = new Map<number, Directory>([[ROOT_NODE, new Directory(ROOT_NODE)]]);
  private root: MountedImage | undefined;
  private lastRead: FileSystem | undefined;
  private readonly wanted = newEntry();

  /** @param mtime of virtual directories, seconds */
  constructor(traits: Traits, mtime: number) {
    this.traits = traits;
    this.mtime = mtime;
  }

  /** @param fsOf makes the file systems of images that are placed */
  apply(change: TreeChange, fsOf: FileSystemOf): void {
    for (const placed of change.placed) {
      const { slot, replacement } = placed;
      this.images[slot] = {
        ...placed,
        fs: fsOf(slot),
        base: nodeIn(slot, 0),
        names: replacement && new Float64Array(replacement.names),
        before: replacement && new Uint32Array(replacement.before),
        tag: (replacement?.generation ?? 0) * COOKIES,
        remap: undefined,
      };
    }
    for (const { directory, name, cookie, node, ino } of change.entries) {
      if (node !== 0) this.directoryAt(directory).set({ name, cookie, node, ino });
      else this.removeEntry(directory, name);
      if (slotOf(node) === VIRTUAL) this.directories.set(node, new Directory(directory));
    }
    for (const { slot, to } of change.remaps) {
      const image = this.images[slot];
      if (image !== undefined) image.remap = new Float64Array(to);
    }
    for (const slot of change.freed) this.images[slot] = undefined;
    this.root = change.rootSlot === undefined ? undefined : this.images[change.rootSlot];
  }

  lookup(parent: number, bytes: Uint8Array, nameAt: number, nameLength: number): number {
    const answering = this.answering(parent);
    const image = this.imageOf(answering);
    if (image === undefined) return this.lookupVirtual(parent, bytes, nameAt, nameLength);
    const local = localOf(answering);
    const isUp = nameLength === 2 && bytes[nameAt] === DOT && bytes[nameAt + 1] === DOT;
    if (isUp && local === ROOT_NODE) return image.parent;
    const found = image.fs.lookup(local, bytes, nameAt, nameLength);
    return found <= 0 ? found : nameOf(image, found);
  }

  attr(node: number, into: Attr): number {
    const answering = this.answering(node);
    const image = this.imageOf(answering);
    if (image === undefined) return this.attrVirtual(node, into);
    const local = localOf(answering);
    const result = image.fs.attr(local, into);
    if (result < 0) return result;
    into.ino = this.inoOf(image, local, into.ino);
    into.generation = node === ROOT_NODE ? 0 : this.ownerOf(image, local).serial;
    return result;
  }

  entry(node: number, cookie: number, into: Entry): number {
    const answering = this.answering(node);
    const image = this.imageOf(answering);
    into.slot = image === undefined ? VIRTUAL : image.slot;
    if (image === undefined) return this.entryVirtual(node, cookie, into);
    const local = localOf(answering);
    const position = cookie - image.tag;
    if (cookie !== 0 && (position < 0 || position >= COOKIES)) return this.resume(image, local, cookie, into);
    return this.listed(image, image.fs.entry(local, cookie === 0 ? 0 : position, into), into);
  }

  nextEntry(into: Entry): number {
    if (into.slot === VIRTUAL) return this.entryVirtual(into.directory, into.next, into);
    const image = this.images[into.slot];
    if (image === undefined) return -ESTALE;
    into.next -= image.tag;
    return this.listed(image, image.fs.nextEntry(into), into);
  }

  read(node: number, offset: number, length: number, out: Uint8Array, at: number): number {
    const answering = this.answering(node);
    const image = this.imageOf(answering);
    if (image === undefined) return this.isDirectory(node) ? -EISDIR : -ESTALE;
    this.lastRead = image.fs;
    return image.fs.read(localOf(answering), offset, length, out, at);
  }

  readFrom(): number {
    return this.lastRead === undefined ? 0 : this.lastRead.readFrom();
  }

  readlink(node: number, out: Uint8Array, at: number): number {
    const answering = this.answering(node);
    const image = this.imageOf(answering);
    if (image === undefined) return this.isDirectory(node) ? -EINVAL : -ESTALE;
    return image.fs.readlink(localOf(answering), out, at);
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
    const answering = this.answering(node);
    const image = this.imageOf(answering);
    if (image === undefined) return this.isDirectory(node) ? -ENODATA : -ESTALE;
    return image.fs.getxattr(localOf(answering), bytes, nameAt, nameLength, out, at, room);
  }

  listxattr(node: number, out: Uint8Array, at: number, room: number, privileged: boolean): number {
    const answering = this.answering(node);
    const image = this.imageOf(answering);
    if (image === undefined) return this.isDirectory(node) ? 0 : -ESTALE;
    return image.fs.listxattr(localOf(answering), out, at, room, privileged);
  }

  statfs(node: number, into: Statfs): number {
    const answering = this.answering(node);
    const image = this.imageOf(answering);
    if (image !== undefined) return image.fs.statfs(localOf(answering), into);
    into.blocks = 0;
    into.blockSize = 4096;
    into.files = this.directories.size;
    return 0;
  }

  /** The node that answers for a node: its own, or that of an image which took the place of its own. */
  private answering(node: number): number {
    const remap = node === ROOT_NODE ? undefined : this.images[slotOf(node)]?.remap;
    if (remap === undefined) return node;
    return remap[localOf(node)] || node;
  }

  /** The image whose node it is; undefined for virtual directories, and for images that are gone. */
  private imageOf(node: number): MountedImage | undefined {
    return node === ROOT_NODE ? this.root : this.images[slotOf(node)];
  }

  /** The inode number of a node that `image` answers for: that of the image whose name the kernel has for it. */
  private inoOf(image: MountedImage, local: number, ino: number): number {
    if (local === ROOT_NODE) return image.rootIno;
    const owner = this.ownerOf(image, local);
    return owner === image
      ? image.base + ino
      : owner.base + swapRoot(localOf(nameOf(image, local)), owner.rootNid);
  }

  /** The image under whose node id the kernel was first told of a node, and which the kernel takes it to be of. */
  private ownerOf(image: MountedImage, local: number): MountedImage {
    if (image.names === undefined) return image;
    return this.images[slotOf(nameOf(image, local))] ?? image;
  }

  private listed(image: MountedImage, result: number, into: Entry): number {
    if (result !== 1) return result;
    into.next += image.tag;
    if (into.node === 0) return result;
    into.ino = this.inoOf(image, into.node, into.ino);
    into.node = nameOf(image, into.node);
    return result;
  }

  /**
   * Goes on with a listing that was begun when another image was here: at the first name that is not before the one
   * that would have been next there. Both images list names in one order, so none that both have is missed or comes twice.
   */
  private resume(image: MountedImage, local: number, cookie: number, into: Entry): number {
    let older: MountedImage | undefined = image;
    let there = local;
    while (older !== undefined && older.tag > cookie) {
      there = older.before?.[there] ?? 0;
      older = older.replacement && this.images[older.replacement.previous];
    }
    if (older === undefined || there === 0) return 0;
    const { wanted } = this;
    const more = older.fs.entry(there, cookie - older.tag, wanted);
    if (more !== 1) return more;
    let found = image.fs.entry(local, 0, into);
    while (found === 1 && compareNames(into, wanted) < 0) found = image.fs.nextEntry(into);
    return this.listed(image, found, into);
  }

  private lookupVirtual(parent: number, bytes: Uint8Array, nameAt: number, nameLength: number): number {
    const directory = this.directories.get(parent);
    if (directory === undefined && !isVirtual(parent)) return -ESTALE;
    if (bytes[nameAt] === DOT && nameLength === 1) return parent;
    if (directory === undefined) return -ENOENT;
    if (bytes[nameAt] === DOT && bytes[nameAt + 1] === DOT && nameLength === 2) return directory.parent;
    return directory.find(bytes, nameAt, nameLength)?.node ?? 0;
  }

  private attrVirtual(node: number, into: Attr): number {
    const directory = this.directories.get(node);
    if (directory === undefined && !isVirtual(node)) return -ESTALE;
    into.ino = node;
    into.generation = 0;
    into.mode = DIRECTORY_MODE;
    into.nlink = directory === undefined ? 0 : 2 + directory.items.length;
    into.uid = 0;
    into.gid = 0;
    into.rdev = 0;
    into.size = 0;
    into.blocks = 0;
    into.mtime = this.mtime;
    into.mtimeNsec = 0;
    return 0;
  }

  private entryVirtual(node: number, cookie: number, into: Entry): number {
    const directory = this.directories.get(node);
    if (directory === undefined) return this.imageOf(this.answering(node)) === undefined ? -ENOENT : -ENOTDIR;
    into.directory = node;
    into.type = DT_DIRECTORY;
    if (cookie < FIRST_COOKIE) {
      into.bytes = DOTS;
      into.nameAt = 0;
      into.nameLength = cookie + 1;
      into.node = cookie === 0 ? node : directory.parent;
      into.ino = into.node;
      into.next = cookie + 1;
      return 1;
    }
    const item = directory.items[directory.from(cookie)];
    if (item === undefined) return 0;
    into.bytes = item.name;
    into.nameAt = 0;
    into.nameLength = item.name.length;
    into.node = item.node;
    into.ino = item.ino;
    into.next = item.cookie + 1;
    return 1;
  }

  private isDirectory(node: number): boolean {
    return isVirtual(node) || this.directories.has(node);
  }

  private directoryAt(node: number): Directory {
    const directory = this.directories.get(node);
    if (directory === undefined) throw new Error(`there is no virtual directory ${node}`);
    return directory;
  }

  private removeEntry(directory: number, name: Uint8Array): void {
    const item = this.directoryAt(directory).find(name, 0, name.length);
    this.directoryAt(directory).remove(name);
    if (item !== undefined) this.directories.delete(item.node);
  }
}

/** A virtual directory, maybe one that was removed: a process whose working directory it is can still ask for it. */
const isVirtual = (node: number): boolean => slotOf(node) === VIRTUAL;

/** What the kernel calls a node of the image. */
function nameOf(image: MountedImage, local: number): number {
  if (local === ROOT_NODE) return image.rootNode;
  return image.names?.[local] || image.base + local;
}
