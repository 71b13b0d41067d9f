import * as errno from "../bytes/errno.ts";
import { FormatError } from "../bytes/errors.ts";
import { MAX_PATH } from "../bytes/limits.ts";
import { showName } from "../bytes/name.ts";
import { CHUNK_INDEX_SIZE } from "../erofs/chunk.ts";
import { xattrArea } from "../erofs/xattr-area.ts";
import type { TarEntry } from "../tar/entry.ts";
import { ArchivePaths, type Fail, implicitParent, type PathTarget } from "./archive-paths.ts";
import { ChangeLog } from "./change-log.ts";
import { TYPE_OF_KIND } from "./change-record.ts";
import { hasChunkMap, sparseEntries } from "./chunk-map.ts";
import { KeptXattrs, type XattrRules } from "./kept-xattrs.ts";
import { LayerMarkers } from "./layer-markers.ts";
import type { BlobLocation } from "./layer-image.ts";
import type { LayerChange } from "./read-changes.ts";
import { SideBlob, TAR_BLOB } from "./side-blob.ts";
import { type Attributes, NONE, ROOT, Tree } from "./tree.ts";
import { Unpacker } from "./unpacker.ts";

/**
 * Builds a layer's tree from its entries, as unpacking them into an empty directory would. Whiteout markers are files here;
 * they mean something only to the layer below. What else the order of the entries means there is kept as changes.
 */
export class TarTree {
  readonly tree = new Tree();
  /** What has to be copied of its files: known when it is finished. */
  readonly side = new SideBlob();
  /** What has become of extended attributes. */
  readonly xattrs: KeptXattrs;
  private readonly paths: ArchivePaths;
  /** Under the OCI rules. */
  private readonly markers: LayerMarkers | undefined;
  private readonly unpacker: Unpacker<TarEntry>;
  private readonly log: ChangeLog;
  private readonly attributes: Attributes = implicitParent();
  /** Sparse files that chunks of the tar cannot say, by inode. */
  private readonly unmapped = new Map<number, TarEntry>();
  private readonly file: string;
  private current: TarEntry | undefined;

  /** @param file path of the tar, for messages */
  constructor(file: string, rules: XattrRules) {
    const { tree } = this;
    this.file = file;
    this.xattrs = new KeptXattrs(rules);
    const isOci = rules.whiteouts === "oci";
    this.paths = new ArchivePaths(tree, isOci);
    if (isOci) this.markers = new LayerMarkers(tree);
    this.log = new ChangeLog(tree);
    this.unpacker = new Unpacker(tree, this.paths, {
      isOci,
      isAlone: true,
      inodeOf: (entry) => this.inodeOf(entry),
      takeMarker: (entry, place) => this.takeMarker(entry, place),
      checkTarget: ({ link }, target) => {
        if (this.markers?.isMarker(target))
          this.fail(`hard link to "${showName(link)}", which is a whiteout`);
      },
      taken: (entry, node, place) => this.log.add(entry, node, this.pathOf(node, place)),
      fail: (entry, problem) => {
        this.current = entry;
        return this.fail(problem);
      },
    });
    tree.put(ROOT, tree.newInode(implicitParent()));
  }

  /** @throws FormatError naming the entry and its offset */
  add(entry: TarEntry): void {
    this.current = entry;
    this.unpacker.apply(entry);
  }

  /**
   * Links what had to wait for its target, and lays out the side blob.
   *
   * @param mayBeAbove others may lie below the layer, and in them what a hard link leads to
   * @param isRepeatable owners are left out
   * @param isForImage an image is made of the tree, not only of its changes
   * @throws FormatError when a target never came, or too much would have to be copied
   */
  finish(mayBeAbove = false, isRepeatable = false, isForImage = true): Tree {
    const { tree, unpacker, paths, log } = this;
    const lost = unpacker.finish();
    if (lost !== undefined && !mayBeAbove) {
      this.current = lost;
      this.fail(`hard link to "${showName(lost.link)}", which is not in the archive`);
    }
    const isOrderly = !(paths.hasStrayed || unpacker.hasReplaced || unpacker.hasWaited);
    this.layOutSide(new Set(isOrderly ? tree.inode.subarray(0, tree.nodes) : log.inodes));
    if (!isOrderly && isForImage) tree.changes = log.encoded(isRepeatable);
    tree.hasLost = lost !== undefined;
    this.xattrs.report();
    return tree;
  }

  /** All that the entries said, when it is finished. @param places what has become of tar and side blob */
  changes(places: readonly BlobLocation[]): Iterable<LayerChange> {
    return this.log.changes(places);
  }

  /** Not before the end: what another entry has replaced needs no copy. */
  private layOutSide(live: ReadonlySet<number>): void {
    for (const [inode, entry] of this.unmapped) {
      if (!live.has(inode)) continue;
      this.current = entry;
      this.side.add(this.tree, inode, entry.path, this.fail);
    }
  }

  private takeMarker(entry: TarEntry, place: PathTarget): boolean {
    const node = this.markers?.take(entry, place, this.fail);
    if (node === undefined) return false;
    this.log.add({ kind: "file", link: entry.link, at: entry.at }, node, this.pathOf(node, place));
    return true;
  }

  /** The path of a change, where it is not that of its node. */
  private pathOf(node: number, { path, hasJumped }: PathTarget): Uint8Array | undefined {
    return node === NONE || hasJumped ? path : undefined;
  }

  private inodeOf(entry: TarEntry): number {
    const { tree } = this;
    const inode = tree.newInode(this.fill(entry));
    if (entry.sparse === undefined) return inode;
    tree.pieces.set(
      inode,
      entry.sparse.map((piece) => ({ ...piece, blob: TAR_BLOB })),
    );
    if (hasChunkMap(entry.sparse, entry.size))
      tree.budget.add(CHUNK_INDEX_SIZE * sparseEntries(entry.sparse, entry.size));
    else this.unmapped.set(inode, entry);
    return inode;
  }

  /** The entry's attributes, in the one record that is reused. */
  private fill(entry: TarEntry): Attributes {
    const { attributes: a, tree } = this;
    if (entry.kind === "hardlink") throw new TypeError("a hard link has no attributes of its own");
    a.mode = TYPE_OF_KIND[entry.kind] | entry.mode;
    a.flags = 0;
    a.uid = entry.uid;
    a.gid = entry.gid;
    a.mtime = entry.mtime;
    a.mtimeNsec = entry.mtimeNsec;
    a.size = 0;
    a.where = entry.rdev;
    if (entry.kind === "file") {
      a.size = entry.size;
      a.where = entry.dataAt;
    } else if (entry.kind === "symlink") {
      const { length } = entry.link;
      mustBeTarget(entry.link, this.fail);
      a.mode = SYMLINK_MODE;
      a.size = length;
      a.where = tree.pool.add(entry.link, 0, length);
    }
    const area = xattrArea(this.xattrs.of(entry.xattrs, a.mode, this.fail), this.fail);
    a.xattrAt = tree.pool.add(area, 0, area.length);
    a.xattrSize = area.length;
    return a;
  }

  private readonly fail: Fail = (problem) => {
    const { path, at } = this.current as TarEntry;
    throw new FormatError(`entry "${showName(path)}": ${problem}`, { file: this.file, at });
  };
}

/** What every unpacked symlink has on Linux, whatever the archive says. */
export const SYMLINK_MODE = errno.S_IFLNK | 0o777;

export function mustBeTarget(target: Uint8Array, fail: Fail): void {
  const { length } = target;
  if (length < 1 || length > MAX_PATH) fail(`a symlink target of ${length} bytes, want 1…${MAX_PATH}`);
  if (target.includes(0)) fail("its symlink target has a NUL");
}
