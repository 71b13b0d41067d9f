import { S_IFMT } from "../bytes/errno.ts";
import { FormatError } from "../bytes/errors.ts";
import { MAX_PATH } from "../bytes/limits.ts";
import type { ImageTables } from "../erofs/open.ts";
import type { TableRange } from "../erofs/rafs.ts";
import { type NamedValue, readArea } from "../erofs/xattr-area.ts";
import type { EntryKind } from "../tar/entry.ts";
import * as record from "./change-record.ts";
import { BLOCK, hasChunkMap } from "./chunk-map.ts";
import type { BlobLocation } from "./layer-image.ts";
import { type Attributes, type BlobPiece, type DataPlace, placeOf } from "./tree.ts";
import type { Change } from "./unpacker.ts";

/** A change that was kept in an image. */
export interface LayerChange extends Change {
  /** But for xattrs, and for where a symlink's target is. */
  readonly attributes: Omit<Attributes, "xattrAt" | "xattrSize">;
  readonly xattrs: readonly NamedValue[];
  readonly pieces: readonly BlobPiece[] | undefined;
}

/** What a blob of the image is to the tree that its files go into, and how long it is. */
export interface ChangedBlob extends BlobLocation {
  readonly size: number;
}

/** The changes of a layer's image, checked as they are read: an image may come from anybody. */
export class ChangeReader {
  private readonly v: DataView;
  private readonly bytes: Uint8Array;
  private readonly file: string;
  private readonly range: TableRange;
  private readonly blobs: readonly ChangedBlob[];
  private at: number;

  /**
   * @param changes where they are
   * @param blobs the image's, by device id - 1
   * @throws FormatError when they are not in the image
   */
  constructor({ meta }: ImageTables, changes: TableRange, blobs: readonly ChangedBlob[]) {
    meta.need(changes.at, changes.length);
    this.v = meta.view;
    this.bytes = meta.bytes;
    this.file = meta.file;
    this.range = changes;
    this.blobs = blobs;
    this.at = changes.at;
  }

  /** @throws FormatError when they say what our builder does not write */
  *all(): Generator<LayerChange> {
    const { v } = this;
    this.mustHold(record.HEADER_SIZE);
    const version = v.getUint32(this.at + record.VERSION_AT, true);
    if (version !== record.VERSION) this.fail(`version ${version}, want ${record.VERSION}`);
    const count = v.getUint32(this.at + record.COUNT_AT, true);
    this.at += record.HEADER_SIZE;
    for (let i = 0; i < count; i++) yield this.next();
  }

  private next(): LayerChange {
    const { v, bytes, at } = this;
    this.mustHold(record.RECORD_SIZE);
    const pathAt = at + record.RECORD_SIZE;
    const linkAt = pathAt + v.getUint16(at + record.PATH_LENGTH, true);
    const xattrsAt = linkAt + v.getUint16(at + record.LINK_LENGTH, true);
    const piecesAt = xattrsAt + v.getUint32(at + record.XATTR_SIZE, true);
    const end = piecesAt + record.PIECE_SIZE * v.getUint32(at + record.PIECES, true);
    this.mustHold(end - at);
    const kind: EntryKind = record.KINDS[v.getUint8(at + record.KIND)] ?? this.fail("no kind of entry");
    const path = bytes.slice(pathAt, linkAt);
    const link = bytes.slice(linkAt, xattrsAt);
    if (path.includes(0) || link.includes(0)) this.fail("a NUL in a path");
    const attributes = this.attributes(kind);
    const { size } = attributes;
    if (kind === "symlink" && (link.length !== size || size < 1 || size > MAX_PATH))
      this.fail(`a symlink target of ${link.length} bytes`);
    const isFile = kind === "file" && size > 0;
    if (size > 0 && !isFile && kind !== "symlink") this.fail(`${size} bytes of a ${kind}`);
    const data = isFile ? this.data(attributes, piecesAt, end) : undefined;
    if (data !== undefined) {
      attributes.blob = data.blob;
      attributes.where = data.where;
    }
    const xattrs = readArea(v, xattrsAt, piecesAt - xattrsAt, this.fail);
    this.at = end;
    return { kind, path, link, at, attributes, xattrs, pieces: data?.pieces };
  }

  /** No spread: of sixty thousand changes that would be half of the time (measured). */
  private attributes(kind: EntryKind): Omit<Attributes, "xattrAt" | "xattrSize"> {
    const { v, at } = this;
    const mode = v.getUint16(at + record.MODE, true);
    if ((mode & S_IFMT) !== record.TYPE_OF_KIND[kind]) this.fail(`mode 0${mode.toString(8)} of a ${kind}`);
    const mtimeNsec = v.getUint32(at + record.MTIME_NSEC, true);
    if (mtimeNsec >= 1e9) this.fail(`${mtimeNsec} nanoseconds`);
    const where = this.number(at + record.WHERE);
    if (kind !== "file" && where !== where >>> 0) this.fail(`a device number of ${where}`);
    return {
      mode,
      flags: 0,
      uid: v.getUint32(at + record.UID, true),
      gid: v.getUint32(at + record.GID, true),
      mtime: this.number(at + record.MTIME, Number.MIN_SAFE_INTEGER),
      mtimeNsec,
      size: this.number(at + record.SIZE),
      where,
      blob: 0,
    };
  }

  private data({ size, where }: LayerChange["attributes"], piecesAt: number, end: number): DataPlace {
    const { v, at } = this;
    const isSparse = v.getUint8(at + record.IS_SPARSE) !== 0;
    const found = isSparse
      ? this.pieces(piecesAt, end, size)
      : [this.piece(0, size, where, v.getUint8(at + record.BLOB))];
    if (!hasChunkMap(found, size)) this.fail("a sparse file that chunks cannot say");
    return placeOf(found, size);
  }

  private pieces(from: number, end: number, size: number): BlobPiece[] {
    const found: BlobPiece[] = [];
    let done = 0;
    for (let at = from; at < end; at += record.PIECE_SIZE) {
      const offset = this.number(at);
      const length = this.number(at + record.PIECE_LENGTH, 1);
      if (offset < done || offset + length > size)
        this.fail(`a piece of ${length} bytes at ${offset} of a file of ${size}`);
      done = offset + length;
      const dataAt = this.number(at + record.PIECE_DATA_AT);
      found.push(this.piece(offset, length, dataAt, this.v.getUint8(at + record.PIECE_BLOB)));
    }
    return found;
  }

  private piece(offset: number, length: number, dataAt: number, own: number): BlobPiece {
    const known = this.range.at + record.DEVICES_IN_CHANGES + 2 * own;
    const device = own < 2 ? this.v.getUint16(known, true) : 0;
    const blob = this.blobs[device - 1] ?? this.fail(`a file in blob ${own}, which the image has not`);
    if (dataAt % BLOCK !== 0 || dataAt + length > blob.size)
      this.fail(`data of ${length} bytes at ${dataAt} of a blob of ${blob.size} bytes`);
    return { offset, length, dataAt: blob.shift + dataAt, blob: blob.blob };
  }

  private number(at: number, least = 0): number {
    const value = this.v.getFloat64(at, true);
    return Number.isSafeInteger(value) && value >= least ? value : this.fail(`${value}, want a whole number`);
  }

  private mustHold(bytes: number): void {
    const left = this.range.at + this.range.length - this.at;
    if (bytes > left) this.fail(`${left} bytes are left, want ${bytes}`);
  }

  private readonly fail = (problem: string): never => {
    throw new FormatError(`changes of the layer: ${problem}`, { file: this.file, at: this.at });
  };
}
