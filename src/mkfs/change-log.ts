import { elementAt } from "../bytes/element-at.ts";
import { S_IFMT } from "../bytes/errno.ts";
import { readArea } from "../erofs/xattr-area.ts";
import { ChangeWriter, KINDS, type StoredChange, type StoredChanges, TYPE_OF_KIND } from "./change-record.ts";
import type { BlobLocation } from "./layer-image.ts";
import type { LayerChange } from "./read-changes.ts";
import { type DataPlace, NONE, placeOf, type Tree } from "./tree.ts";
import type { Change } from "./unpacker.ts";

const FIRST = 32;
const NO_BYTES = new Uint8Array(0);
const KIND_OF_TYPE = new Map(KINDS.map((kind) => [TYPE_OF_KIND[kind], kind]));
const NO_INODE = {
  ...{ mode: 0, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0, size: 0, where: 0, blob: 0 },
  ...{ xattrs: NO_BYTES, pieces: undefined },
};

/**
 * What the entries of a layer said, in their order: as numbers of the tree's rows, which are never given away twice. It is
 * written into the layer's image when the tree alone does not say what the layer makes of those below it: when a path led
 * through what may be a symlink there, when a directory has taken the place of a file, when a hard link had no target yet.
 */
export class ChangeLog {
  private readonly tree: Tree;
  private count = 0;
  private node = new Int32Array(FIRST);
  private inode = new Int32Array(FIRST);
  private at = new Float64Array(FIRST);
  /** By row: of names that are not where their path says. */
  private readonly paths = new Map<number, Uint8Array>();
  /** By row: targets of hard links. */
  private readonly links = new Map<number, Uint8Array>();

  constructor(tree: Tree) {
    this.tree = tree;
  }

  /**
   * @param node NONE: its path leads nowhere
   * @param path without `.` and `..`; undefined when that is the node's
   */
  add({ kind, link, at }: Omit<Change, "path">, node: number, path: Uint8Array | undefined): void {
    const row = this.count++;
    if (row === this.node.length) this.grow();
    this.node[row] = node;
    this.at[row] = at;
    this.inode[row] = node === NONE ? NONE : this.tree.inode[node];
    if (path !== undefined) this.paths.set(row, path);
    if (kind === "hardlink") this.links.set(row, link);
    this.tree.budget.add((path?.length ?? 0) + (kind === "hardlink" ? link.length : 0));
  }

  /** Every inode that a change made. */
  get inodes(): Int32Array {
    return this.inode.subarray(0, this.count);
  }

  /** As it is written into an image, but for the numbers of its devices. */
  encoded(isRepeatable: boolean): StoredChanges {
    const writer = new ChangeWriter();
    const owner = isRepeatable ? { uid: 0, gid: 0 } : {};
    for (let row = 0; row < this.count; row++) writer.add({ ...this.stored(row), ...owner });
    return writer.whole();
  }

  /**
   * The same for a merge in this process: a layer of a few files costs less than its image would.
   *
   * @param places what has become of the tree's blobs
   */
  *changes(places: readonly BlobLocation[]): Generator<LayerChange> {
    const { pool } = this.tree;
    const { buffer, byteOffset } = pool.bytes;
    const v = new DataView(buffer, byteOffset);
    for (let row = 0; row < this.count; row++) {
      const change = this.stored(row);
      const { kind, path, link, mode, uid, gid, mtime, mtimeNsec, size, xattrs } = change;
      const at = this.at[row];
      const { blob, where, pieces } = dataOf(change, places);
      const area = readArea(v, xattrs.byteOffset - byteOffset, xattrs.length, (problem) => {
        throw new TypeError(problem);
      });
      yield {
        kind,
        path,
        link,
        at,
        attributes: { mode, flags: 0, uid, gid, mtime, mtimeNsec, size, where, blob },
        xattrs: area,
        pieces,
      };
    }
  }

  private stored(row: number): StoredChange {
    const { tree } = this;
    const inode = this.inode[row];
    const link = this.links.get(row);
    const path = this.paths.get(row) ?? tree.path(this.node[row]);
    if (link !== undefined) return { ...NO_INODE, kind: "hardlink", path, link };
    if (inode === NONE) return { ...NO_INODE, kind: "file", mode: TYPE_OF_KIND.file, path, link: NO_BYTES };
    const mode = tree.mode[inode];
    const kind = KIND_OF_TYPE.get(mode & S_IFMT) ?? "file";
    const isLink = kind === "symlink";
    const part = (at: number, size: number) => tree.pool.bytes.subarray(at, at + size);
    return {
      kind,
      path,
      mode,
      uid: tree.uid[inode],
      gid: tree.gid[inode],
      mtime: tree.mtime[inode],
      mtimeNsec: tree.mtimeNsec[inode],
      size: tree.size[inode],
      where: isLink ? 0 : tree.where[inode],
      blob: tree.blob[inode],
      pieces: tree.pieces.get(inode),
      link: isLink ? part(tree.where[inode], tree.size[inode]) : NO_BYTES,
      xattrs: part(tree.xattrAt[inode], tree.xattrSize[inode]),
    };
  }

  private grow(): void {
    const longer = Math.ceil(this.node.length * 1.5);
    const [node, inode] = [new Int32Array(longer), new Int32Array(longer)];
    const at = new Float64Array(longer);
    node.set(this.node);
    at.set(this.at);
    this.at = at;
    inode.set(this.inode);
    this.node = node;
    this.inode = inode;
  }
}

/** A change of the layer's only blob, to what has become of that. */
export function placed(change: LayerChange, places: readonly BlobLocation[]): LayerChange {
  const { attributes } = change;
  if (change.kind !== "file" || attributes.size === 0) return change;
  const { blob, shift } = elementAt(places, 0);
  return { ...change, attributes: { ...attributes, blob, where: shift + attributes.where } };
}

/** Where the data of a file have come to lie; of a device, its number. */
function dataOf(
  { kind, blob, where, size, pieces }: StoredChange,
  places: readonly BlobLocation[],
): DataPlace {
  if (kind !== "file" || size === 0)
    return { blob: 0, where: kind === "file" ? 0 : where, pieces: undefined };
  if (pieces === undefined) {
    const place = elementAt(places, blob);
    return { blob: place.blob, where: place.shift + where, pieces };
  }
  const moved = pieces.map((piece) => {
    const place = elementAt(places, piece.blob);
    return { ...piece, blob: place.blob, dataAt: place.shift + piece.dataAt };
  });
  return placeOf(moved, size);
}
