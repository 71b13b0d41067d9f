import { S_IFDIR, S_IFLNK, S_IFMT } from "../bytes/errno.ts";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import { forEachDirent } from "../erofs/directory.ts";
import type { Image } from "../erofs/image.ts";
import * as inode from "../erofs/inode.ts";
import { type NamedValue, readXattrs, xattrArea } from "../erofs/xattr-area.ts";
import { ArchivePaths, type Fail, implicitParent, type PathTarget } from "./archive-paths.ts";
import { BudgetExceeded } from "./budget.ts";
import { KeptXattrs, type XattrRules } from "./kept-xattrs.ts";
import { type BlobLocation, copyInode } from "./layer-image.ts";
import { LowerLayers } from "./lower-layers.ts";
import type { LayerChange } from "./read-changes.ts";
import { type Attributes, FLAG, NONE, ROOT, Tree } from "./tree.ts";
import { Unpacker } from "./unpacker.ts";
import {
  isNamelessMarker,
  isOpaque,
  isWhiteoutDevice,
  MARKER_LENGTH,
  markerOf,
  type WhiteoutSpec,
} from "./whiteout.ts";
import type { LayerWitness, Marker } from "./witness.ts";

/** A directory of the layer, and the directory of the tree that it goes onto. */
interface Pair {
  readonly nid: number;
  readonly node: number;
}

/**
 * Lays layers over one another, the lowest first, as unpacking one after the other would: whiteouts of a layer take
 * away what is below it, never what is in it, wherever they stand (0032).
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md
 */
export class LayerMerge {
  readonly tree = new Tree();
  readonly xattrs: KeptXattrs;
  private readonly spec: WhiteoutSpec;
  private readonly paths = new ArchivePaths(this.tree, false);
  private readonly lower = new LowerLayers(this.tree);
  private readonly attributes: Attributes = implicitParent();
  private readonly witness: LayerWitness | undefined;

  /** @param witness told what becomes of every name */
  constructor(rules: XattrRules, witness?: LayerWitness) {
    this.spec = rules.whiteouts;
    this.xattrs = new KeptXattrs(rules);
    this.tree.put(ROOT, this.tree.newInode(implicitParent()));
    this.witness = witness;
    this.tree.witness = witness;
  }

  /**
   * A layer whose changes were kept: in their order.
   *
   * @param file path of its image, for messages
   */
  applyChanges(changes: Iterable<LayerChange>, file: string): void {
    this.begin();
    const fail = ({ path, at }: LayerChange, problem: string): never => {
      throw new FormatError(`entry "${showName(path)}": ${problem}`, { file, at });
    };
    const unpacker = new Unpacker<LayerChange>(this.tree, this.paths, {
      isOci: this.spec === "oci",
      isAlone: false,
      inodeOf: (change) => this.inodeOf(change, fail),
      takeMarker: (change, place) => this.takeMarker(change, place, fail),
      checkTarget: () => {},
      taken: (change, node) => this.taken(change, node),
      fail,
    });
    for (const change of changes) unpacker.apply(change);
    const lost = unpacker.finish();
    if (lost !== undefined)
      fail(lost, `hard link to "${showName(lost.link)}", which is neither in its layer nor in one below`);
  }

  private begin(): void {
    this.lower.begin();
    this.witness?.begin(this.tree);
  }

  private inodeOf(change: LayerChange, fail: (change: LayerChange, problem: string) => never): number {
    const { tree } = this;
    const { attributes: given, link, kind, pieces } = change;
    const refuse: Fail = (problem) => fail(change, problem);
    const area = xattrArea(this.xattrs.of(change.xattrs, given.mode, refuse), refuse);
    const where = kind === "symlink" ? tree.pool.add(link, 0, link.length) : given.where;
    const xattrAt = tree.pool.add(area, 0, area.length);
    const { mode, flags, uid, gid, mtime, mtimeNsec, size, blob } = given;
    const xattrSize = area.length;
    const attributes = { mode, flags, uid, gid, mtime, mtimeNsec, size, where, blob, xattrAt, xattrSize };
    const made = tree.newInode(attributes);
    if (pieces !== undefined) tree.pieces.set(made, pieces);
    return made;
  }

  private takeMarker(
    change: LayerChange,
    { directory, path, nameAt, nameLength, madeFrom }: PathTarget,
    fail: (change: LayerChange, problem: string) => never,
  ): boolean {
    const { tree, spec } = this;
    const { mode, where, mtime, mtimeNsec } = change.attributes;
    const isOci = spec === "oci" && markerOf(path, nameAt, nameLength) !== "itself";
    if (!isOci && !(spec === "overlayfs" && isWhiteoutDevice(mode, where))) return false;
    if (isOci && isNamelessMarker(path, nameAt, nameLength)) fail(change, "a whiteout that names nothing");
    if (madeFrom !== NONE) this.lower.madeForWhiteout(madeFrom);
    const skipped = isOci ? MARKER_LENGTH : 0;
    const kind = isOci && markerOf(path, nameAt, nameLength) === "opaque" ? "opaque" : "whiteout";
    const name = path.slice(nameAt, nameAt + nameLength);
    const what =
      kind === "opaque" ? directory : tree.find(directory, path, nameAt + skipped, nameLength - skipped);
    this.hide({ kind, directory, name, mtime, mtimeNsec }, what);
    return true;
  }

  private taken({ kind, xattrs }: LayerChange, node: number): void {
    if (node === NONE) return;
    this.lower.bring(node);
    if (kind === "directory") this.makeOpaque(node, xattrs);
  }

  /** Takes away what a marker names. @param what that name, or the directory that is opaque; NONE: it names nothing */
  private hide(marker: Marker, what: number): void {
    const { lower, paths, witness } = this;
    witness?.hiding(marker);
    if (marker.kind === "opaque") lower.empty(what);
    else if (what !== NONE) lower.takeAway(what);
    witness?.hidden();
    paths.forget();
  }

  private makeOpaque(node: number, xattrs: readonly NamedValue[]): void {
    if (this.spec !== "overlayfs" || !isOpaque(xattrs)) return;
    const { tree } = this;
    const inode = tree.inode[node];
    const [mtime, mtimeNsec] = [tree.mtime[inode], tree.mtimeNsec[inode]];
    this.hide({ kind: "opaque", directory: node, name: new Uint8Array(0), mtime, mtimeNsec }, node);
  }

  /**
   * A layer whose tree says all of it, or a foreign one: as if its tar had a directory's whiteouts first, then its names, and
   * parents before what is in them.
   *
   * @param image whole tree checked
   * @param places where each of the image's blobs is, by device id - 1
   * @throws FormatError when two names of the layer lead to one of the tree, and which of them comes last is not known
   */
  applyTree(image: Image, places: readonly BlobLocation[]): void {
    try {
      this.walk(image, places);
    } catch (error) {
      if (!(error instanceof BudgetExceeded)) throw error;
      throw new OperationalError(`${image.handle.file}: ${error.message}`, { cause: error });
    }
  }

  private walk(image: Image, places: readonly BlobLocation[]): void {
    this.begin();
    const { rootNid } = image.handle;
    /** Inodes of this layer that have several names, by nid. */
    const shared = new Map<number, number>();
    const pairs: Pair[] = [{ nid: rootNid, node: ROOT }];
    this.take(image, rootNid, ROOT, places);
    for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
      const { node } = pair;
      if (!this.tree.isDirectory(node)) this.refuse(image, pair.nid, node);
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
    if (spec === "overlayfs") this.makeOpaque(node, readXattrs(image, at));
    forEachDirent(image, at, (nid, name, length) => {
      if (!this.isMarker(image, nid, name, length) || isParentOnly(image, nid)) return;
      const kind = spec === "oci" && markerOf(bytes, name, length) === "opaque" ? "opaque" : "whiteout";
      const skipped = spec === "oci" ? MARKER_LENGTH : 0;
      const what = kind === "opaque" ? node : tree.find(node, bytes, name + skipped, length - skipped);
      this.hide(markerAt(image, nid, kind, node, bytes.slice(name, name + length)), what);
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
    if (tree.isDirectory(child)) {
      if (!isMarker) this.take(image, nid, child, places);
      return child;
    }
    if (tree.isLive(child)) {
      // The layer only passes through: unpacking would follow the link, and so does this.
      if (isImplicit && (tree.mode[tree.inode[child]] & S_IFMT) === S_IFLNK)
        return this.paths.through(child, this.fail(image, nid, child));
      this.replace(image, nid, child);
    }
    if (isMarker) Object.assign(this.attributes, implicitParent());
    else copyInode(image, nid, places, this, this.attributes);
    tree.put(child, tree.newInode(this.attributes));
    if (!isImplicit) this.lower.bring(child);
    return child;
  }

  /** A directory of the layer onto one that is there: its attributes win, unless the tar never named it. */
  private take(image: Image, nid: number, node: number, places: readonly BlobLocation[]): void {
    copyInode(image, nid, places, this, this.attributes);
    if ((this.attributes.flags & FLAG.IMPLICIT) !== 0) return;
    this.mustBeNew(image, nid, node);
    this.tree.put(node, this.tree.newInode(this.attributes));
    this.lower.bring(node);
  }

  private addOther(
    image: Image,
    nid: number,
    child: number,
    places: readonly BlobLocation[],
    shared: Map<number, number>,
  ): void {
    const { tree } = this;
    if (tree.isLive(child)) this.replace(image, nid, child);
    let made = shared.get(nid);
    if (made === undefined) {
      const pieces = copyInode(image, nid, places, this, this.attributes);
      made = tree.newInode(this.attributes);
      if (pieces !== undefined) tree.pieces.set(made, pieces);
      if (inode.inodeNlink(image.v, image.inodeAt(nid)) > 1) shared.set(nid, made);
    }
    tree.put(child, made);
    this.lower.bring(child);
  }

  private replace(image: Image, nid: number, node: number): void {
    if (this.lower.hasBrought(node)) this.refuse(image, nid, node);
    this.tree.remove(node);
    this.paths.forget();
  }

  private mustBeNew(image: Image, nid: number, node: number): void {
    if (this.lower.hasNamed(node)) this.refuse(image, nid, node);
  }

  private refuse(image: Image, nid: number, node: number): never {
    return this.fail(
      image,
      nid,
      node,
    )(
      "two names of its layer lead to it, one through a symlink of a layer below, and the image does not say which came last",
    );
  }

  private fail(image: Image, nid: number, node: number): Fail {
    return (problem) => {
      throw new FormatError(`entry "${showName(this.tree.path(node))}": ${problem}`, {
        file: image.handle.file,
        at: image.inodeAt(nid),
      });
    };
  }
}

const isDirectory = (image: Image, nid: number): boolean =>
  (inode.inodeMode(image.v, image.inodeAt(nid)) & S_IFMT) === S_IFDIR;

function markerAt(
  image: Image,
  nid: number,
  kind: Marker["kind"],
  directory: number,
  name: Uint8Array,
): Marker {
  const { v, handle } = image;
  const at = image.inodeAt(nid);
  const mtime = inode.inodeMtime(v, at, handle.epoch);
  return { kind, directory, name, mtime, mtimeNsec: inode.inodeMtimeNsec(v, at, handle.fixedNsec) };
}

/** A directory that the layer's tar did not name. */
const isParentOnly = (image: Image, nid: number): boolean =>
  inode.inodeIsImplicit(image.v, image.inodeAt(nid)) && isDirectory(image, nid);

function holdsSomething(image: Image, nid: number): boolean {
  let count = 0;
  if (isDirectory(image, nid)) forEachDirent(image, image.inodeAt(nid), () => count++);
  return count > 0;
}
