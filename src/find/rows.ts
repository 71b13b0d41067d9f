import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { OperationalError, UsageError } from "../bytes/errors.ts";
import type { LayeredImage } from "../layers/layered-image.ts";
import type { LaidMarker } from "../layers/versions.ts";
import { NONE, ROOT, type Tree } from "../mkfs/tree.ts";

const SLASH = Uint8Array.of(0x2f);

/** What can be found: every version of every name, and behind those every marker; a row is a number. */
export class Rows {
  readonly image: LayeredImage;
  readonly tree: Tree;
  /** Rows from here on are markers. */
  readonly versions: number;
  readonly count: number;

  constructor(image: LayeredImage) {
    this.image = image;
    this.tree = image.tree;
    this.versions = image.versions.count;
    this.count = this.versions + image.versions.markers.length;
  }

  marker(row: number): LaidMarker | undefined {
    // A negative index is looked up by name, which takes longer than all else (measured).
    return row < this.versions ? undefined : this.image.versions.markers[row - this.versions];
  }

  /** The name's, or that of the directory that a marker is in. */
  node(row: number): number {
    return this.marker(row)?.directory ?? (this.image.versions.node[row] as number);
  }

  /** NONE: a marker has none. */
  inode(row: number): number {
    return row < this.versions ? (this.image.versions.inode[row] as number) : NONE;
  }

  layer(row: number): number {
    return this.marker(row)?.layer ?? (this.image.versions.layer[row] as number);
  }

  isSeen(row: number): boolean {
    return row < this.versions && this.image.versions.fate(row) === "seen";
  }

  /** @throws OperationalError where nobody knows layers; UsageError for one that is not there */
  mustHaveLayer(layer: number): void {
    const { length } = this.image.layers;
    if (length === 0) throw new OperationalError("nobody knows which layers the image has");
    if (layer <= length) return;
    throw new UsageError(`--layer ${layer}: the image has ${length} ${length === 1 ? "layer" : "layers"}`);
  }

  /** Type and permission bits; 0 of a marker. */
  mode(row: number): number {
    return this.ofInode(row, this.tree.mode, 0);
  }

  type(row: number): number {
    return this.mode(row) & S_IFMT;
  }

  uid(row: number): number {
    return this.ofInode(row, this.tree.uid, Number.NaN);
  }

  gid(row: number): number {
    return this.ofInode(row, this.tree.gid, Number.NaN);
  }

  /** Bytes of a file, or of a symlink's target; NaN: a directory has none that another file system would have, too. */
  size(row: number): number {
    const type = this.type(row);
    if (type === S_IFDIR || row >= this.versions) return Number.NaN;
    return type === S_IFREG || type === S_IFLNK ? this.ofInode(row, this.tree.size, 0) : 0;
  }

  mtime(row: number): number {
    return this.marker(row)?.mtime ?? this.ofInode(row, this.tree.mtime, 0);
  }

  mtimeNsec(row: number): number {
    return this.marker(row)?.mtimeNsec ?? this.ofInode(row, this.tree.mtimeNsec, 0);
  }

  /** Of a symlink. */
  target(row: number): Uint8Array | undefined {
    const inode = this.inode(row);
    if (this.type(row) !== S_IFLNK) return undefined;
    const at = this.tree.where[inode] as number;
    return this.tree.pool.bytes.subarray(at, at + (this.tree.size[inode] as number));
  }

  /** The last name of a path; `/` of the root, as find(1) has it. */
  name(row: number): Uint8Array {
    const node = this.node(row);
    const marker = this.marker(row)?.name;
    if (marker !== undefined && marker.length > 0) return marker;
    return node === ROOT ? SLASH : this.tree.name(node);
  }

  path(row: number): Uint8Array {
    const marker = this.marker(row);
    return marker === undefined ? this.image.path(this.node(row)) : this.image.markerPath(marker);
  }

  private ofInode(row: number, column: ArrayLike<number>, none: number): number {
    const inode = this.inode(row);
    return inode === NONE ? none : (column[inode] as number);
  }
}
