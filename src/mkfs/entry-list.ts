import { S_IFREG } from "../bytes/errno.ts";
import { FormatError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import type { NamedValue } from "../erofs/xattr-area.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { Fail } from "./archive-paths.ts";
import { placed } from "./change-log.ts";
import { TYPE_OF_KIND } from "./change-record.ts";
import { cleanPath } from "./clean-path.ts";
import { mustBeTarget, SYMLINK_MODE, TarTree } from "./from-tar.ts";
import { KeptXattrs, type XattrRules } from "./kept-xattrs.ts";
import type { BlobLocation } from "./layer-image.ts";
import type { LayerChange } from "./read-changes.ts";
import type { SideBlob } from "./side-blob.ts";
import { endsInNamelessMarker, isMarker } from "./whiteout.ts";

/** Bytes of a tar: in what is longer, a tree of the layer alone costs little beside its entries, and less memory than they. */
const SHORT = 1 << 20;
const NO_BYTES = new Uint8Array(0);
const NO_XATTRS: readonly NamedValue[] = [];

/**
 * The changes that the entries of a short layer are to those below it, as they come. A tree of the layer alone would say the same
 * (`ChangeLog`), and takes most of the time that a layer of a few files does; a long layer has one, and so has one with sparse
 * files, whose copies are laid out when it is known which of them are left.
 */
export class EntryList {
  private readonly file: string;
  private readonly rules: XattrRules;
  private readonly isOci: boolean;
  private readonly xattrs: KeptXattrs;
  private readonly entries: TarEntry[] = [];
  private readonly list: LayerChange[] = [];
  private tree: TarTree | undefined;
  private current: TarEntry | undefined;

  /** @param file path of the tar, for messages */
  constructor(file: string, rules: XattrRules) {
    this.file = file;
    this.rules = rules;
    this.isOci = rules.whiteouts === "oci";
    this.xattrs = new KeptXattrs(rules);
  }

  get side(): SideBlob | undefined {
    return this.tree?.side;
  }

  /** @throws FormatError naming the entry and its offset */
  add(entry: TarEntry): void {
    if (entry.sparse !== undefined || entry.dataAt > SHORT) this.tree ??= this.grown();
    if (this.tree !== undefined) {
      this.tree.add(entry);
      return;
    }
    this.entries.push(entry);
    this.current = entry;
    this.list.push(this.changeOf(entry));
  }

  finish(): void {
    if (this.tree === undefined) this.xattrs.report();
    else this.tree.finish(true, false, false);
  }

  /** As `ChangeLog.changes`. */
  changes(places: readonly BlobLocation[]): Iterable<LayerChange> {
    return this.tree?.changes(places) ?? this.list.map((change) => placed(change, places));
  }

  private grown(): TarTree {
    const tree = new TarTree(this.file, this.rules);
    for (const entry of this.entries.splice(0)) tree.add(entry);
    return tree;
  }

  private changeOf(entry: TarEntry): LayerChange {
    const { at, uid, gid, mtime, mtimeNsec, link } = entry;
    const path = cleanPath(entry.path);
    if (this.isOci && endsInNamelessMarker(path)) this.fail("a whiteout that names nothing");
    const isWhiteout = this.isOci && isMarker(path);
    const kind = isWhiteout ? "file" : entry.kind;
    if (kind === "hardlink" && this.isOci && isMarker(link))
      this.fail(`hard link to "${showName(link)}", which is a whiteout`);
    if (kind === "symlink") mustBeTarget(link, this.fail);
    const mode = isWhiteout ? S_IFREG : kind === "symlink" ? SYMLINK_MODE : TYPE_OF_KIND[kind] | entry.mode;
    const isOther = isWhiteout || kind === "hardlink";
    const size = kind === "file" && !isWhiteout ? entry.size : 0;
    return {
      kind,
      path,
      at,
      link: isWhiteout ? NO_BYTES : link,
      attributes: {
        mode,
        flags: 0,
        uid,
        gid,
        mtime,
        mtimeNsec,
        size: kind === "symlink" ? link.length : size,
        where: size > 0 ? entry.dataAt : entry.rdev,
        blob: 0,
      },
      xattrs: isOther ? NO_XATTRS : this.xattrs.of(entry.xattrs, mode, this.fail),
      pieces: undefined,
    };
  }

  private readonly fail: Fail = (problem) => {
    const { path, at } = this.current as TarEntry;
    throw new FormatError(`entry "${showName(path)}": ${problem}`, { file: this.file, at });
  };
}
