import { createHash } from "node:crypto";
import { BlobFiles } from "../../src/blob/blob-files.ts";
import { EINVAL, EOPNOTSUPP, EUCLEAN, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../src/bytes/errno.ts";
import { Image } from "../../src/erofs/image.ts";
import { inodeBytes, inodeXattrBytes } from "../../src/erofs/inode.ts";
import { xattrShared } from "../../src/erofs/xattr.ts";
import { ImageFileSystem } from "../../src/fs/image-file-system.ts";
import type { OpenedImage } from "../../src/fs/open-image.ts";
import { type Attr, newAttr, newEntry, ROOT_NODE } from "../../src/vfs/file-system.ts";
import { must } from "./target.ts";

/** What an image says of a path, as text to compare. */
export interface Shown {
  readonly node: number;
  readonly mode: number;
  readonly size: number;
  readonly nlink: number;
  /** Owner, times, device, target and xattrs. */
  readonly rest: string;
  /** Of a regular file: of its beginning and its end when it is long. */
  readonly content: string;
}

/** Bytes of a file that are read at each of its ends, and of all files of an image. */
const READ = 64 << 10;
const BUDGET = 8 << 20;
const GUARDED = 16;
const CANARY = 0xa5;

/**
 * Asks an opened image everything that a transport could, and holds the answers against one another.
 *
 * @param isLenient inodes may be corrupt: then every question about them is answered EUCLEAN
 * @returns by path, latin1
 */
export function scrutinize(opened: OpenedImage, isLenient: boolean): Map<string, Shown> {
  const blobs = new BlobFiles(opened.files, () => {});
  try {
    return new Scrutiny(new Image(opened.handle), blobs, isLenient).all();
  } finally {
    blobs.close();
  }
}

class Scrutiny {
  private readonly shown = new Map<string, Shown>();
  private readonly image: Image;
  private readonly fs: ImageFileSystem;
  private readonly isLenient: boolean;
  /** A name takes twelve bytes of an image at least: more of them would never end. */
  private left: number;
  private budget = BUDGET;
  private readonly out = new Uint8Array(128 << 10).fill(CANARY);

  constructor(image: Image, blobs: BlobFiles, isLenient: boolean) {
    this.image = image;
    this.fs = new ImageFileSystem(image, blobs);
    this.isLenient = isLenient;
    this.left = image.bytes.length / 12 + 2;
  }

  all(): Map<string, Shown> {
    const queue: [node: number, path: string, parent: number][] = [[ROOT_NODE, "", ROOT_NODE]];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const [node, path, parent] = next;
      const attr = newAttr();
      const result = this.fs.attr(node, attr);
      if (result < 0) {
        must(this.isLenient && result === -EUCLEAN, () => `attr of ${path} answers ${result}`);
        continue;
      }
      this.shown.set(path, this.show(node, attr, path));
      if ((attr.mode & S_IFMT) === S_IFDIR) this.list(node, parent, path, queue);
      else must(this.fs.lookup(node, Buffer.from("x"), 0, 1) < 0, () => `${path} is looked into`);
    }
    return this.shown;
  }

  private list(node: number, parent: number, path: string, queue: [number, string, number][]): void {
    const { fs } = this;
    const entry = newEntry();
    const again = newEntry();
    const found: string[] = [];
    let cookie = 0;
    for (let more = fs.entry(node, 0, entry); more !== 0; more = fs.nextEntry(entry)) {
      must(more === 1, () => `entry of ${path} answers ${more}`);
      must(--this.left > 0, () => `the listing of ${path} does not end`);
      must(entry.next > cookie, () => `${path}: cookie ${entry.next} after ${cookie}`);
      must(fs.entry(node, cookie, again) === 1, () => `${path}: nothing at cookie ${cookie}`);
      const name = Buffer.from(entry.bytes.slice(entry.nameAt, entry.nameAt + entry.nameLength));
      const text = name.toString("latin1");
      const same = Buffer.from(again.bytes.slice(again.nameAt, again.nameAt + again.nameLength)).equals(name);
      must(
        same && again.node === entry.node && again.next === entry.next,
        () => `${path}: ${text} is not at its cookie`,
      );
      must(
        name.length > 0 && name.length < 256 && !name.includes(0) && !name.includes(0x2f),
        () => `${path}: name ${text}`,
      );
      const lookedUp = fs.lookup(node, name, 0, name.length);
      const wanted = text === "." ? node : text === ".." ? parent : entry.node;
      must(
        lookedUp === wanted || (wanted === 0 && lookedUp === -EUCLEAN),
        () => `${path}: ${text} is ${wanted}, found as ${lookedUp}`,
      );
      if (text !== "." && text !== "..") {
        found.push(text);
        this.checkType(entry.node, entry.type, `${path}/${text}`);
        if (entry.node !== 0) queue.push([entry.node, `${path}/${text}`, node]);
      }
      cookie = entry.next;
      this.lookupOf(node, Buffer.concat([name, Buffer.of(0xff)]));
      this.lookupOf(node, name.subarray(0, name.length - 1));
    }
    must(new Set(found).size === found.length, () => `${path}: a name is there twice`);
    must(
      found.every((name, i) => i === 0 || name > found[i - 1]),
      () => `${path}: names are not in order`,
    );
    for (const odd of [cookie + 1, 2 ** 31, 2 ** 53])
      must(fs.entry(node, odd, again) >= 0, () => `${path}: cookie ${odd}`);
  }

  private checkType(node: number, type: number, path: string): void {
    const attr = newAttr();
    if (node === 0) must(this.isLenient, () => `${path} is corrupt`);
    else if (this.fs.attr(node, attr) === 0)
      must(attr.mode >> 12 === type, () => `${path}: type ${type}, mode ${attr.mode}`);
  }

  private lookupOf(node: number, name: Uint8Array): void {
    const result = this.fs.lookup(node, name, 0, name.length);
    must(Number.isInteger(result), () => `lookup answers ${result}`);
  }

  private show(node: number, attr: Attr, path: string): Shown {
    const { mode, size, nlink, uid, gid, rdev, mtime, mtimeNsec } = attr;
    for (const value of [mode, size, nlink, uid, gid, rdev, mtimeNsec, attr.blocks, attr.ino])
      must(Number.isSafeInteger(value) && value >= 0, () => `${path}: ${JSON.stringify(attr)}`);
    const type = mode & S_IFMT;
    const target =
      type === S_IFLNK ? this.text((out) => this.fs.readlink(node, out, GUARDED), size, path) : "";
    const rest = [uid, gid, rdev, mtime, mtimeNsec, target, this.xattrs(node, attr.ino, path)].join(" ");
    return { node, mode, size, nlink, rest, content: type === S_IFREG ? this.content(node, size, path) : "" };
  }

  private content(node: number, size: number, path: string): string {
    const hash = createHash("sha256");
    for (const at of size <= READ ? [0] : [0, size - READ]) {
      if (this.budget <= 0) return "";
      const wanted = Math.min(READ, size);
      this.budget -= wanted;
      hash.update(
        this.text((out) => this.fs.read(node, at, wanted, out, GUARDED), wanted, path),
        "latin1",
      );
    }
    must(this.fs.read(node, size, 1, this.out, 0) === 0, () => `${path} goes on at its end`);
    return hash.digest("hex");
  }

  private xattrs(node: number, ino: number, path: string): string {
    const { fs } = this;
    const length = fs.listxattr(node, this.out, 0, 0, true);
    must(
      length >= 0 && length <= this.out.length - 2 * GUARDED,
      () => `${path}: listxattr answers ${length}`,
    );
    const list = this.text((out) => fs.listxattr(node, out, GUARDED, length, true), length, path);
    const names = list.split("\0").slice(0, -1);
    let left = this.ownXattrBytes(ino);
    return names
      .map((name) => {
        const bytes = Buffer.from(name, "latin1");
        const size = fs.getxattr(node, bytes, 0, bytes.length, this.out, 0, 0);
        // Listed, but Linux does not ask for it: nothing but a namespace, or of none.
        if (size === -EINVAL || size === -EOPNOTSUPP) return `${name} ${size}`;
        must(size >= 0, () => `${path}: getxattr of ${name} answers ${size}`);
        left -= size;
        must(left >= 0, () => `${path}: xattrs do not fit where they are`);
        return `${name}=${this.text((out) => fs.getxattr(node, bytes, 0, bytes.length, out, GUARDED, size), size, path)}`;
      })
      .sort()
      .join("\0");
  }

  /** Bytes behind the inode for all its xattrs, unless some are shared. */
  private ownXattrBytes(ino: number): number {
    const { v } = this.image;
    const at = this.image.inodeAt(ino);
    const bytes = inodeXattrBytes(v, at);
    return bytes > 0 && xattrShared(v, at + inodeBytes(v, at)) > 0 ? Number.POSITIVE_INFINITY : bytes;
  }

  /** What a call writes behind GUARDED bytes; it must be `length` bytes and nothing else. */
  private text(call: (out: Uint8Array) => number, length: number, path: string): string {
    const { out } = this;
    const got = call(out);
    must(got === length, () => `${path}: ${got} bytes, want ${length}`);
    const text = Buffer.from(out.subarray(GUARDED, GUARDED + length)).toString("latin1");
    out.fill(CANARY, GUARDED, GUARDED + length);
    const end = GUARDED + length;
    for (let i = 0; i < GUARDED; i++)
      must(
        out[i] === CANARY && (out[end + i] ?? CANARY) === CANARY,
        () => `${path}: written outside its ${length} bytes`,
      );
    return text;
  }
}
