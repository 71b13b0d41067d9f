import { FormatError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import { copyOf } from "./copy.ts";
import type { TarEntry } from "./entry.ts";
import type { Extensions } from "./extensions.ts";
import { idOf, modeOf, rdevOf, storedSize, timeOf, xattrsOf } from "./fields.ts";
import { headerLink, headerName } from "./header.ts";
import { BLOCK } from "./header-block.ts";
import * as pax from "./pax.ts";
import type { Refuse } from "./piece-list.ts";
import { mapSparse, oldSparse, paxSparseForm, recordSparse, type Sparse, type Window } from "./sparse.ts";
import { REFUSED, type Type, typeWithPath } from "./type.ts";

const EMPTY = new Uint8Array(0);

/** Makes an entry of its header and extension headers. One for all entries of a tar; it knows the last. */
export class EntryReader {
  /** Where the data of the last entry end, without padding. */
  dataEnd = 0;
  /** Throws, naming the entry. */
  readonly refuse: Refuse;
  private path: Uint8Array = EMPTY;
  private at = 0;
  private readonly window: Window;
  private readonly warn: (message: string) => void;

  constructor(window: Window, file: string, warn: (message: string) => void) {
    this.window = window;
    this.warn = warn;
    this.refuse = (problem) => {
      throw new FormatError(`${showName(this.path)}: ${problem}`, { file, at: this.at });
    };
  }

  /**
   * @param h its header
   * @param headerAt where the header is
   * @param at where its first header is
   * @returns undefined when its sparse map is not there yet
   */
  read(h: Uint8Array, headerAt: number, at: number, type: Type, ext: Extensions): TarEntry | undefined {
    const { refuse } = this;
    this.at = at;
    this.path = ext.longName ?? headerName(h); // for messages, until the records were looked at
    const refused = REFUSED.get(type.letter);
    if (refused !== undefined) refuse(refused);
    const form = type.kind === "file" && type.letter !== "S" ? paxSparseForm(ext, refuse) : "";
    this.takePath(ext, form !== "");
    const { kind, hasData } = typeWithPath(type, this.path);
    const isLink = kind === "hardlink" || kind === "symlink";
    const stored = hasData ? storedSize(h, ext, refuse) : 0;
    const time = timeOf(h, ext, refuse);
    const entry = {
      kind,
      at,
      path: this.path,
      link: isLink ? this.link(h, ext) : EMPTY,
      mode: modeOf(h, refuse),
      uid: idOf(h, ext, "uid", refuse),
      gid: idOf(h, ext, "gid", refuse),
      mtime: time.seconds,
      mtimeNsec: time.nsec,
      rdev: kind === "char" || kind === "block" ? rdevOf(h, refuse) : 0,
      size: kind === "file" ? stored : 0,
      dataAt: headerAt + BLOCK,
      sparse: undefined,
      xattrs: xattrsOf(ext),
    };
    if (kind === "file" && (form !== "" || type.letter === "S")) {
      const sparse = this.sparse(h, entry.dataAt, form, stored, ext);
      if (sparse === undefined) return undefined;
      this.dataEnd = sparse.dataAt + sparse.stored;
      this.mustBeAddressable();
      return { ...entry, size: sparse.size, dataAt: sparse.dataAt, sparse: sparse.pieces };
    }
    this.dataEnd = entry.dataAt + stored;
    this.mustBeAddressable();
    if (type.isUnknown)
      this.warn(`${showName(this.path)}: unknown type ${JSON.stringify(type.letter)}, taken for a file`);
    return entry;
  }

  private takePath(ext: Extensions, isSparse: boolean): void {
    const named = (isSparse ? ext.value(pax.SPARSE_NAME) : undefined) ?? ext.value(pax.PATH);
    if (named === undefined) return;
    this.path = copyOf(named.b, named.from, named.to);
    if (this.path.includes(0)) this.refuse("a NUL in its pax path");
  }

  private link(h: Uint8Array, ext: Extensions): Uint8Array {
    const named = ext.value(pax.LINKPATH);
    if (named === undefined) return ext.longLink ?? headerLink(h);
    const link = copyOf(named.b, named.from, named.to);
    return link.includes(0) ? this.refuse("a NUL in its pax linkpath") : link;
  }

  private sparse(
    h: Uint8Array,
    dataAt: number,
    form: string,
    stored: number,
    ext: Extensions,
  ): Sparse | undefined {
    if (form === "") return oldSparse(this.window, h, dataAt, stored, this.refuse);
    if (form === "1.0") return mapSparse(this.window, ext, dataAt, stored, this.refuse);
    return recordSparse(ext, dataAt, stored, this.refuse);
  }

  /** Leaves room for padding. */
  private mustBeAddressable(): void {
    if (this.dataEnd > Number.MAX_SAFE_INTEGER - BLOCK)
      this.refuse(`its data end at ${this.dataEnd}, beyond 2^53`);
  }
}
