import * as errno from "../bytes/errno.ts";
import { FormatError } from "../bytes/errors.ts";
import { MAX_PATH } from "../bytes/limits.ts";
import { showName } from "../bytes/name.ts";
import { xattrArea } from "../erofs/xattr-area.ts";
import type { EntryKind, TarEntry } from "../tar/entry.ts";
import { ArchivePaths, type Fail, implicitParent, type PathTarget } from "./archive-paths.ts";
import { hasChunkMap } from "./chunk-map.ts";
import { KeptXattrs, type XattrRules } from "./kept-xattrs.ts";
import { LayerMarkers } from "./layer-markers.ts";
import { SideBlob, TAR_BLOB } from "./side-blob.ts";
import { type Attributes, NONE, ROOT, Tree } from "./tree.ts";
import { isMarker } from "./whiteout.ts";

const TYPE: Record<Exclude<EntryKind, "hardlink">, number> = {
  file: errno.S_IFREG,
  symlink: errno.S_IFLNK,
  char: errno.S_IFCHR,
  block: errno.S_IFBLK,
  directory: errno.S_IFDIR,
  fifo: errno.S_IFIFO,
};

/** A hard link whose target had not come yet. */
interface PendingLink {
  readonly node: number;
  readonly entry: TarEntry;
}

/**
 * Builds a layer's tree from its entries, in their order, as unpacking them into an empty directory would: later
 * entries replace earlier ones, a directory keeps its children when it is named again. Whiteout markers are
 * files here; they mean something only to the layer below.
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
  private readonly place: PathTarget = { directory: ROOT, nameAt: 0, nameLength: 0 };
  private readonly attributes: Attributes = implicitParent();
  /** Whose target's directory is not there. */
  private readonly pending: PendingLink[] = [];
  /** By the node of the target. */
  private readonly waiting = new Map<number, PendingLink[]>();
  /** Sparse files that chunks of the tar cannot say, by inode. */
  private readonly unmapped = new Map<number, TarEntry>();
  private readonly file: string;
  private current: TarEntry | undefined;

  /** @param file path of the tar, for messages */
  constructor(file: string, rules: XattrRules) {
    this.file = file;
    this.xattrs = new KeptXattrs(rules);
    const isOci = rules.whiteouts === "oci";
    this.paths = new ArchivePaths(this.tree, isOci);
    if (isOci) this.markers = new LayerMarkers(this.tree, this.paths);
    this.tree.inode[ROOT] = this.tree.newInode(implicitParent());
  }

  /** @throws FormatError naming the entry and its offset */
  add(entry: TarEntry): void {
    this.current = entry;
    const { tree, place } = this;
    // umoci takes away one by one the files of a directory that has become a file: they are gone with it.
    const isGone = this.markers !== undefined && isMarker(entry.path);
    this.paths.resolve(entry.path, place, true, this.fail, isGone);
    if (place.directory === NONE) return;
    if (place.nameLength === 0) {
      if (entry.kind !== "directory")
        this.fail("it names the root or a directory above it, which is no such thing");
      tree.set(tree.inode[place.directory], this.fill(entry));
      return;
    }
    if (this.markers?.take(entry, place, this.fail)) return;
    const node = tree.node(place.directory, entry.path, place.nameAt, place.nameLength);
    if (entry.kind === "hardlink") this.link(node, entry);
    else if (entry.kind === "directory" && this.isDirectory(node))
      tree.set(tree.inode[node], this.fill(entry));
    else {
      const inode = tree.newInode(this.fill(entry));
      this.replace(node, inode);
      if (entry.sparse === undefined) return;
      tree.pieces.set(
        inode,
        entry.sparse.map((piece) => ({ ...piece, blob: TAR_BLOB })),
      );
      if (!hasChunkMap(entry.sparse, entry.size)) this.unmapped.set(inode, entry);
    }
  }

  /**
   * Links what had to wait for its target, and lays out the side blob.
   *
   * @throws FormatError when a target never came, or too much would have to be copied
   */
  finish(): Tree {
    this.linkWaiting();
    this.layOutSide();
    this.xattrs.report();
    return this.tree;
  }

  /** Each link is looked at once, and once more when its target has come: a chain takes no more than its length. */
  private linkWaiting(): void {
    const { tree, waiting } = this;
    const ready = this.takeWaiting();
    for (const link of ready) {
      tree.steps++;
      this.current = link.entry;
      // Something else may have taken the name since.
      if (!tree.isLive(link.node)) this.link(link.node, link.entry);
      if (!tree.isLive(link.node)) continue;
      for (const next of waiting.get(link.node) ?? []) ready.push(next);
      waiting.delete(link.node);
    }
    const [first] = this.takeWaiting();
    if (first === undefined) return;
    this.current = first.entry;
    this.fail(`hard link to "${showName(first.entry.link)}", which is not in the archive`);
  }

  /** In the order of the archive. */
  private takeWaiting(): PendingLink[] {
    const all = [...this.waiting.values(), this.pending.splice(0)].flat();
    this.waiting.clear();
    return all.sort((a, b) => a.entry.at - b.entry.at);
  }

  /** Not before the end: what another entry has replaced needs no copy. */
  private layOutSide(): void {
    if (this.unmapped.size === 0) return;
    const live = new Set(this.tree.inode.subarray(0, this.tree.nodes));
    for (const [inode, entry] of this.unmapped) {
      if (!live.has(inode)) continue;
      this.current = entry;
      this.side.add(this.tree, inode, entry.path, this.fail);
    }
  }

  private link(node: number, entry: TarEntry): void {
    const { tree, place } = this;
    this.paths.resolve(entry.link, place, false, this.fail);
    const { directory } = place;
    const isName = directory !== NONE && place.nameLength > 0;
    const target = isName ? tree.node(directory, entry.link, place.nameAt, place.nameLength) : directory;
    if (!tree.isLive(target)) {
      if (tree.isLive(node)) this.replace(node, NONE);
      this.wait({ node, entry }, target);
      return;
    }
    if (this.markers?.isMarker(target))
      this.fail(`hard link to "${showName(entry.link)}", which is a whiteout`);
    if (this.isDirectory(target)) this.fail(`hard link to "${showName(entry.link)}", which is a directory`);
    if (target !== node) this.replace(node, tree.inode[target]);
  }

  /** @param target NONE when not even its directory is there: no other link can bring that, but a later entry */
  private wait(link: PendingLink, target: number): void {
    const others = this.waiting.get(target);
    if (target === NONE) this.pending.push(link);
    else if (others === undefined) this.waiting.set(target, [link]);
    else others.push(link);
  }

  private replace(node: number, inode: number): void {
    const { tree } = this;
    if (tree.isLive(node)) {
      tree.remove(node);
      this.paths.forget();
    }
    tree.inode[node] = inode;
  }

  private isDirectory(node: number): boolean {
    const { tree } = this;
    return (
      node !== NONE && tree.isLive(node) && (tree.mode[tree.inode[node]] & errno.S_IFMT) === errno.S_IFDIR
    );
  }

  /** The entry's attributes, in the one record that is reused. */
  private fill(entry: TarEntry): Attributes {
    const { attributes: a, tree } = this;
    if (entry.kind === "hardlink") throw new TypeError("a hard link has no attributes of its own");
    a.mode = TYPE[entry.kind] | entry.mode;
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
      if (length < 1 || length > MAX_PATH)
        this.fail(`a symlink target of ${length} bytes, want 1…${MAX_PATH}`);
      if (entry.link.includes(0)) this.fail("its symlink target has a NUL");
      // What every unpacked symlink has on Linux, whatever the archive says.
      a.mode = errno.S_IFLNK | 0o777;
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
