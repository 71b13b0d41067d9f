import * as errno from "../bytes/errno.ts";
import { FormatError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import { forEachDirent } from "../erofs/directory.ts";
import type { Image } from "../erofs/image.ts";
import * as inode from "../erofs/inode.ts";
import { readXattrs } from "../erofs/xattr-area.ts";
import { ArchivePaths, type Fail, implicitParent } from "./archive-paths.ts";
import { KeptXattrs, type XattrRules } from "./kept-xattrs.ts";
import { type BlobLocation, copyInode } from "./layer-image.ts";
import { type Attributes, FLAG, NONE, ROOT, Tree } from "./tree.ts";
import { isOpaque, isWhiteoutDevice, MARKER_LENGTH, markerOf, type WhiteoutSpec } from "./whiteout.ts";

/** A directory of the layer, and the directory of the tree that it goes onto. */
interface Pair {
  readonly nid: number;
  readonly node: number;
}

/**
 * Lays layers over one another, the lowest first, as unpacking one after the other would: whiteouts of a layer take
 * away what is below it, never what is in it, wherever they stand.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md
 */
export class LayerMerge {
  readonly tree = new Tree();
  readonly xattrs: KeptXattrs;
  private readonly spec: WhiteoutSpec;
  private readonly paths = new ArchivePaths(this.tree, false);
  private readonly attributes: Attributes = implicitParent();

  constructor(rules: XattrRules) {
    this.spec = rules.whiteouts;
    this.xattrs = new KeptXattrs(rules);
    this.tree.inode[ROOT] = this.tree.newInode(implicitParent());
  }

  /**
   * @param image whole tree checked
   * @param places where each of the image's blobs is, by device id - 1
   */
  add(image: Image, places: readonly BlobLocation[]): void {
    const { rootNid } = image.handle;
    /** Inodes of this layer that have several names, by nid. */
    const shared = new Map<number, number>();
    const pairs: Pair[] = [{ nid: rootNid, node: ROOT }];
    this.take(image, rootNid, ROOT, places);
    for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
      const { node } = pair;
      const at = image.inodeAt(pair.nid);
      this.whiteOut(image, at, node);
      forEachDirent(image, at, (nid, name, length) => {
        const isMarker = this.isMarker(image, nid, name, length);
        if (isMarker && !holdsSomething(image, nid)) return;
        const child = this.tree.node(node, image.bytes, name, length);
        if (isDirectory(image, nid))
          pairs.push({ nid, node: this.addDirectory(image, nid, child, places, isMarker) });
        else this.addOther(image, nid, child, places, shared);
      });
    }
  }

  /** First everything that is taken away in a directory: what the layer itself brings comes after. */
  private whiteOut(image: Image, at: number, node: number): void {
    const { tree, spec } = this;
    const { bytes } = image;
    if (spec === "none") return;
    if (spec === "overlayfs" && isOpaque(readXattrs(image, at))) this.drop(node, false);
    forEachDirent(image, at, (nid, name, length) => {
      if (!this.isMarker(image, nid, name, length) || isParentOnly(image, nid)) return;
      if (spec === "oci" && markerOf(bytes, name, length) === "opaque") this.drop(node, false);
      else {
        const skipped = spec === "oci" ? MARKER_LENGTH : 0;
        const gone = tree.find(node, bytes, name + skipped, length - skipped);
        if (gone !== NONE) this.drop(gone, true);
      }
    });
  }

  private isMarker(image: Image, nid: number, name: number, length: number): boolean {
    if (this.spec === "oci") return markerOf(image.bytes, name, length) !== "itself";
    if (this.spec === "none") return false;
    const at = image.inodeAt(nid);
    const mode = inode.inodeMode(image.v, at);
    return isWhiteoutDevice(mode, inode.inodeRdev(image.v, at));
  }

  /**
   * @param isMarker by its name, which unpacking knows as a marker, not as a directory that has attributes
   * @returns the directory of the tree that the layer's directory goes onto
   */
  private addDirectory(
    image: Image,
    nid: number,
    child: number,
    places: readonly BlobLocation[],
    isMarker: boolean,
  ): number {
    const { tree } = this;
    const isImplicit = isMarker || isParentOnly(image, nid);
    if (tree.isLive(child)) {
      const type = tree.mode[tree.inode[child]] & errno.S_IFMT;
      // The layer only passes through: unpacking would follow the link, and so does this.
      if (type === errno.S_IFLNK && isImplicit)
        return this.paths.through(child, this.fail(image, nid, child));
      if (type === errno.S_IFDIR) {
        if (!isMarker) this.take(image, nid, child, places);
        return child;
      }
      this.drop(child, true);
    }
    if (isMarker) Object.assign(this.attributes, implicitParent());
    else copyInode(image, nid, places, this, this.attributes);
    tree.inode[child] = tree.newInode(this.attributes);
    return child;
  }

  /** A directory of the layer onto one that is there: its attributes win, unless the tar never named it. */
  private take(image: Image, nid: number, node: number, places: readonly BlobLocation[]): void {
    copyInode(image, nid, places, this, this.attributes);
    if ((this.attributes.flags & FLAG.IMPLICIT) === 0) this.tree.set(this.tree.inode[node], this.attributes);
  }

  private addOther(
    image: Image,
    nid: number,
    child: number,
    places: readonly BlobLocation[],
    shared: Map<number, number>,
  ): void {
    const { tree } = this;
    if (tree.isLive(child)) this.drop(child, true);
    const known = shared.get(nid);
    if (known !== undefined) {
      tree.inode[child] = known;
      return;
    }
    const pieces = copyInode(image, nid, places, this, this.attributes);
    const made = tree.newInode(this.attributes);
    if (pieces !== undefined) tree.pieces.set(made, pieces);
    tree.inode[child] = made;
    if (inode.inodeNlink(image.v, image.inodeAt(nid)) > 1) shared.set(nid, made);
  }

  private drop(node: number, isWhole: boolean): void {
    if (isWhole) this.tree.remove(node);
    else this.tree.clear(node);
    this.paths.forget();
  }

  private fail(image: Image, nid: number, node: number): Fail {
    return (problem) => {
      throw new FormatError(`entry "${showName(this.tree.name(node))}": ${problem}`, {
        file: image.handle.file,
        at: image.inodeAt(nid),
      });
    };
  }
}

const isDirectory = (image: Image, nid: number): boolean =>
  (inode.inodeMode(image.v, image.inodeAt(nid)) & errno.S_IFMT) === errno.S_IFDIR;

/** A directory that the layer's tar did not name. */
const isParentOnly = (image: Image, nid: number): boolean =>
  inode.inodeIsImplicit(image.v, image.inodeAt(nid)) && isDirectory(image, nid);

function holdsSomething(image: Image, nid: number): boolean {
  let count = 0;
  if (isDirectory(image, nid)) forEachDirent(image, image.inodeAt(nid), () => count++);
  return count > 0;
}
