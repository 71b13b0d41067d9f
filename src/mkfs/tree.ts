import { S_IFDIR, S_IFMT } from "../bytes/errno.ts";
import { fit8, fit16, fit32 } from "../bytes/fit.ts";
import { compareBytes, SLASH } from "../bytes/name.ts";
import type { Piece } from "../tar/entry.ts";
import { inodeBytes, MetadataBudget, nameBytes } from "./budget.ts";
import type { StoredChanges } from "./change-record.ts";
import { hashName } from "./name-hash.ts";
import { Pool } from "./pool.ts";
import type { TreeWitness } from "./witness.ts";

/** A piece of a sparse file in one of the tree's blobs. */
export interface BlobPiece extends Piece {
  readonly blob: number;
}

/** Where the data of a file lie: one run, as most do, or pieces. */
export interface DataPlace {
  readonly blob: number;
  readonly where: number;
  readonly pieces: readonly BlobPiece[] | undefined;
}

/** Of pieces that are no sparse ones, but all bytes of the file side by side, it is one run. */
export function placeOf(pieces: readonly BlobPiece[], size: number): DataPlace {
  const [run] = pieces;
  return pieces.length === 1 && run?.length === size
    ? { blob: run.blob, where: run.dataAt, pieces: undefined }
    : { blob: 0, where: 0, pieces };
}

/** No node, no inode. */
export const NONE = -1;
export const ROOT = 0;

/** What a directory or inode is besides its mode. */
export const FLAG = {
  /** A parent that no entry names: it has no attributes of its own. */
  IMPLICIT: 1,
} as const;

/** An inode's attributes, as the tar reader or the merge knows them. */
export interface Attributes {
  /** S_IFMT and permission bits. */
  mode: number;
  flags: number;
  uid: number;
  gid: number;
  /** Seconds, may be negative. */
  mtime: number;
  mtimeNsec: number;
  /** Regular files: bytes; symlinks: bytes of the target. */
  size: number;
  /** Regular files: byte of the blob where the data begins; symlinks: place of the target in the pool; devices: rdev. */
  where: number;
  /** Regular files: number of the blob. */
  blob: number;
  /** Place of the encoded xattr area in the pool, and its bytes; 0 bytes: none. */
  xattrAt: number;
  xattrSize: number;
}

/** Rows of a new tree: few, because there may be hundreds of layers with a handful of files each. */
const FIRST = 32;
/** Of all columns together. */
const BYTES_A_ROW = 79;

/**
 * A file tree as columns: a node is a name in a directory, an inode is what names share. Both are numbers; a row
 * of objects would take five times the memory of a million entries.
 *
 * A removed node stays as a dead row, so that nothing has to be moved; the same name brings it back. A directory that is
 * emptied forgets its children, so that emptying it again costs nothing: they are listed anew when their names come back.
 */
export class Tree {
  readonly pool = new Pool();
  /** What the image would take at the least. */
  readonly budget = new MetadataBudget();
  private readonly first = new FirstRows();
  /** Steps of loops whose length an archive can choose: names followed, table slots looked at, children removed. */
  steps = 0;
  nodes = 0;
  inodes = 0;
  parent = this.first.column(Int32Array);
  nameAt = this.first.column(Float64Array);
  nameLength = this.first.column(Uint8Array);
  /** NONE: dead. */
  inode = this.first.column(Int32Array);
  firstChild = this.first.column(Int32Array);
  sibling = this.first.column(Int32Array);
  /** Whether a node is among its directory's children, dead or alive. */
  private listed = this.first.column(Uint8Array);

  mode = this.first.column(Uint16Array);
  flags = this.first.column(Uint8Array);
  uid = this.first.column(Uint32Array);
  gid = this.first.column(Uint32Array);
  mtime = this.first.column(Float64Array);
  mtimeNsec = this.first.column(Uint32Array);
  size = this.first.column(Float64Array);
  where = this.first.column(Float64Array);
  blob = this.first.column(Uint16Array);
  xattrAt = this.first.column(Float64Array);
  xattrSize = this.first.column(Uint32Array);

  /** Pieces of sparse files, by inode; all others are one run at `where`. */
  readonly pieces = new Map<number, readonly BlobPiece[]>();

  /** Of one layer, when its tree alone does not say what it makes of those below it: its changes. */
  changes: StoredChanges | undefined;
  /** A hard link leads to what is in a layer below, if anywhere. */
  hasLost = false;
  /** Told what becomes of names, where somebody wants to know. */
  witness: TreeWitness | undefined;

  /** Open addressing: node + 1, by parent and name. */
  private table = new Int32Array(4 * FIRST);
  /** Nodes from here on are not in the table yet. */
  private entered = 0;

  constructor() {
    this.inode[this.newNode(NONE, 0, 0)] = NONE;
  }

  /** The live or dead node of a name, or NONE. */
  find(parent: number, name: Uint8Array, at: number, length: number): number {
    if (this.entered < this.nodes) this.enterAll();
    const mask = this.table.length - 1;
    for (let slot = hashName(parent, name, at, length) & mask; ; slot = (slot + 1) & mask) {
      this.steps++;
      const node = this.table[slot] - 1;
      if (node < 0) return NONE;
      if (
        this.parent[node] === parent &&
        this.nameLength[node] === length &&
        compareBytes(this.pool.bytes, this.nameAt[node], length, name, at, length) === 0
      )
        return node;
    }
  }

  /** The node of a name, made dead if it was not there. @param length at most 255 */
  node(parent: number, name: Uint8Array, at: number, length: number): number {
    const found = this.find(parent, name, at, length);
    if (found !== NONE) {
      if (this.listed[found] === 0) this.list(found);
      return found;
    }
    const node = this.newName(parent, name, at, length);
    this.enterAll();
    return node;
  }

  /**
   * The node of a name that its directory does not have, made dead. It is found like any other, but is not looked for, and
   * the table is made when somebody looks.
   */
  newName(parent: number, name: Uint8Array, at: number, length: number): number {
    this.budget.add(nameBytes(length));
    const node = this.newNode(parent, this.pool.add(name, at, length), length);
    this.list(node);
    return node;
  }

  private list(node: number): void {
    const parent = this.parent[node];
    this.sibling[node] = this.firstChild[parent];
    this.firstChild[parent] = node;
    this.listed[node] = 1;
  }

  isLive(node: number): boolean {
    return node !== NONE && this.inode[node] !== NONE;
  }

  /**
   * Gives a name its inode.
   *
   * @throws Error when the name lies in no directory that is there: nobody would ever reach it
   */
  put(node: number, inode: number): void {
    if (node !== ROOT && !this.isListed(node)) throw new Error(`node ${node} would be in no directory`);
    this.witness?.put(node, inode);
    this.inode[node] = inode;
  }

  /** Whether a name, dead or alive, is in a directory that is there. */
  isListed(node: number): boolean {
    return this.listed[node] === 1 && this.isDirectory(this.parent[node]);
  }

  isDirectory(node: number): boolean {
    return this.isLive(node) && (this.mode[this.inode[node]] & S_IFMT) === S_IFDIR;
  }

  /** Makes an inode that no node has yet. */
  newInode(a: Attributes): number {
    this.budget.add(inodeBytes(a));
    const i = this.inodes++;
    if (i === this.mode.length) this.growInodes();
    this.set(i, a);
    return i;
  }

  set(i: number, a: Attributes): void {
    this.mode[i] = fit16(a.mode);
    this.flags[i] = fit8(a.flags);
    this.uid[i] = fit32(a.uid);
    this.gid[i] = fit32(a.gid);
    this.mtime[i] = a.mtime;
    this.mtimeNsec[i] = fit32(a.mtimeNsec);
    this.size[i] = a.size;
    this.where[i] = a.where;
    this.blob[i] = fit16(a.blob);
    this.xattrAt[i] = a.xattrAt;
    this.xattrSize[i] = fit32(a.xattrSize);
  }

  /**
   * Removes the children of a directory that `isKept` does not want, and what is below them.
   *
   * @param until a child, from which on they are left alone: children are listed in front
   */
  sweep(directory: number, until: number, isKept: (child: number) => boolean): void {
    let last = NONE;
    let child = this.firstChild[directory];
    for (; child !== until && child !== NONE; child = this.sibling[child]) {
      this.steps++;
      if (this.isLive(child) && isKept(child)) {
        if (last === NONE) this.firstChild[directory] = child;
        else this.sibling[last] = child;
        last = child;
      } else {
        this.remove(child);
        this.listed[child] = 0;
      }
    }
    if (last === NONE) this.firstChild[directory] = child;
    else this.sibling[last] = child;
  }

  /** Removes what is below a node. */
  clear(node: number): void {
    const stack = [node];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      for (let child = this.firstChild[top]; child !== NONE; child = this.sibling[child]) {
        this.steps++;
        this.listed[child] = 0;
        this.witness?.gone(child, node);
        this.inode[child] = NONE;
        stack.push(child);
      }
      this.firstChild[top] = NONE;
    }
  }

  /** Removes a node and what is below it. */
  remove(node: number): void {
    this.clear(node);
    this.witness?.gone(node, node);
    this.inode[node] = NONE;
  }

  /** Name bytes of a node, for messages and tests. */
  name(node: number): Uint8Array {
    return this.pool.bytes.subarray(this.nameAt[node], this.nameAt[node] + this.nameLength[node]);
  }

  /** The path of a node, `/` between its names, for messages. */
  path(node: number): Uint8Array {
    let length = -1;
    for (let at = node; at !== ROOT && at !== NONE; at = this.parent[at]) length += this.nameLength[at] + 1;
    const path = new Uint8Array(Math.max(0, length));
    let end = length;
    for (let at = node; end > 0; at = this.parent[at]) {
      path.set(this.name(at), end - this.nameLength[at]);
      end -= this.nameLength[at] + 1;
      if (end > 0) path[end] = SLASH;
    }
    return path;
  }

  private newNode(parent: number, nameAt: number, nameLength: number): number {
    const node = this.nodes++;
    if (node === this.parent.length) this.growNodes();
    this.parent[node] = parent;
    this.nameAt[node] = nameAt;
    this.nameLength[node] = fit8(nameLength);
    this.inode[node] = NONE;
    this.firstChild[node] = NONE;
    this.sibling[node] = NONE;
    return node;
  }

  private enter(node: number): void {
    const mask = this.table.length - 1;
    let slot = hashName(this.parent[node], this.pool.bytes, this.nameAt[node], this.nameLength[node]) & mask;
    for (; this.table[slot] !== 0; slot = (slot + 1) & mask) this.steps++;
    this.table[slot] = node + 1;
  }

  private enterAll(): void {
    if (this.nodes * 2 > this.table.length) {
      let length = this.table.length;
      while (this.nodes * 2 > length) length *= 2;
      this.table = new Int32Array(length);
      this.entered = ROOT + 1;
    }
    for (let node = Math.max(this.entered, ROOT + 1); node < this.nodes; node++) this.enter(node);
    this.entered = this.nodes;
  }

  private growNodes(): void {
    this.parent = grown(this.parent, Int32Array);
    this.nameAt = grown(this.nameAt, Float64Array);
    this.nameLength = grown(this.nameLength, Uint8Array);
    this.inode = grown(this.inode, Int32Array);
    this.firstChild = grown(this.firstChild, Int32Array);
    this.sibling = grown(this.sibling, Int32Array);
    this.listed = grown(this.listed, Uint8Array);
  }

  private growInodes(): void {
    this.mode = grown(this.mode, Uint16Array);
    this.flags = grown(this.flags, Uint8Array);
    this.uid = grown(this.uid, Uint32Array);
    this.gid = grown(this.gid, Uint32Array);
    this.mtime = grown(this.mtime, Float64Array);
    this.mtimeNsec = grown(this.mtimeNsec, Uint32Array);
    this.size = grown(this.size, Float64Array);
    this.where = grown(this.where, Float64Array);
    this.blob = grown(this.blob, Uint16Array);
    this.xattrAt = grown(this.xattrAt, Float64Array);
    this.xattrSize = grown(this.xattrSize, Uint32Array);
  }
}

type Column = Int32Array | Float64Array | Uint8Array | Uint16Array | Uint32Array;

/** What columns begin with, in one buffer: one of its own for each takes five times as long (measured). */
class FirstRows {
  private readonly buffer = new ArrayBuffer(FIRST * BYTES_A_ROW);
  private used = 0;

  column<T extends Column>(make: {
    new (buffer: ArrayBuffer, at: number, length: number): T;
    readonly BYTES_PER_ELEMENT: number;
  }): T {
    const at = this.used;
    this.used += FIRST * make.BYTES_PER_ELEMENT;
    return new make(this.buffer, at, FIRST);
  }
}

/** Half as long again: what is unused then is at most a third. */
function grown<T extends Column>(old: T, make: new (length: number) => T): T {
  const longer = new make(Math.ceil(old.length * 1.5));
  longer.set(old);
  return longer;
}
