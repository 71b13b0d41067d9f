import * as errno from "../bytes/errno.ts";
import { put8, put16, put32 } from "../bytes/fit.ts";
import { MAX_METADATA } from "../erofs/meta-file.ts";
import type { EntryKind } from "../tar/entry.ts";
import { BudgetExceeded } from "./budget.ts";
import type { BlobPiece } from "./tree.ts";

/**
 * The changes of a layer, in the image of that layer behind its metadata; the RAFS superblock says where. Ours alone: to other
 * readers they are bytes that nothing refers to. Little-endian. A header, then the records, one behind the other.
 */
export const HEADER_SIZE = 16;
export const VERSION_AT = 0; //  u32
export const COUNT_AT = 4; //    u32  records
/** Device ids of the tar and of the side blob, 0 for none; known when the image is planned. */
export const DEVICES_IN_CHANGES = 8; // u16 × 2
export const VERSION = 1;

/** What is of fixed size of a record; behind it path, link, xattr area, pieces. */
export const RECORD_SIZE = 54;
export const KIND = 0; //         u8   place in KINDS
export const IS_SPARSE = 1; //    u8   1: its data lie in pieces, perhaps none
export const PATH_LENGTH = 2; //  u16
export const LINK_LENGTH = 4; //  u16  target of a symlink or hard link
export const MODE = 6; //         u16  with the type of KIND; 0 for a hard link
export const BLOB = 8; //         u8   0 the tar, 1 the side blob
export const UID = 9; //          u32
export const GID = 13; //         u32
export const MTIME = 17; //       f64  seconds
export const MTIME_NSEC = 25; //  u32
export const SIZE = 29; //        f64
export const WHERE = 37; //       f64  byte of the blob, or device number
export const XATTR_SIZE = 45; //  u32
export const PIECES = 49; //      u32  and a byte of 0

/** A piece: offset, length, byte of its blob as f64, and the blob. */
export const PIECE_SIZE = 25;
export const PIECE_LENGTH = 8;
export const PIECE_DATA_AT = 16;
export const PIECE_BLOB = 24;

export const KINDS: readonly EntryKind[] = [
  ...(["file", "hardlink", "symlink", "char", "block", "directory", "fifo"] as const),
];
export const TYPE_OF_KIND: Record<EntryKind, number> = {
  file: errno.S_IFREG,
  hardlink: 0,
  symlink: errno.S_IFLNK,
  char: errno.S_IFCHR,
  block: errno.S_IFBLK,
  directory: errno.S_IFDIR,
  fifo: errno.S_IFIFO,
};

/** A change with all that its tree knew of it. */
export interface StoredChange {
  readonly kind: EntryKind;
  readonly path: Uint8Array;
  readonly link: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly size: number;
  readonly where: number;
  readonly blob: number;
  /** An xattr area, as behind an inode. */
  readonly xattrs: Uint8Array;
  readonly pieces: readonly BlobPiece[] | undefined;
}

/** The changes of a layer as its tree carries them to its image. */
export interface StoredChanges {
  /** All of them, but for the devices. */
  readonly bytes: Uint8Array;
  /** Which of the tree's blobs they refer to. */
  readonly blobs: ReadonlySet<number>;
}

/** Writes records one behind the other. */
export class ChangeWriter {
  private readonly blobs = new Set<number>();
  private bytes = new Uint8Array(1 << 12);
  private v = new DataView(this.bytes.buffer);
  private end = HEADER_SIZE;
  private count = 0;

  add(change: StoredChange): void {
    const { kind, path, link, xattrs, pieces = [] } = change;
    const at = this.end;
    this.end += RECORD_SIZE + path.length + link.length + xattrs.length + PIECE_SIZE * pieces.length;
    this.reserve();
    this.count++;
    const { v } = this;
    put8(v, at + KIND, KINDS.indexOf(kind));
    put8(v, at + IS_SPARSE, change.pieces === undefined ? 0 : 1);
    put16(v, at + PATH_LENGTH, path.length);
    put16(v, at + LINK_LENGTH, link.length);
    put16(v, at + MODE, change.mode);
    put8(v, at + BLOB, change.blob);
    put32(v, at + UID, change.uid);
    put32(v, at + GID, change.gid);
    v.setFloat64(at + MTIME, change.mtime, true);
    put32(v, at + MTIME_NSEC, change.mtimeNsec);
    v.setFloat64(at + SIZE, change.size, true);
    v.setFloat64(at + WHERE, change.where, true);
    put32(v, at + XATTR_SIZE, xattrs.length);
    put32(v, at + PIECES, pieces.length);
    if (kind === "file" && change.size > 0 && change.pieces === undefined) this.blobs.add(change.blob);
    for (const { blob } of pieces) this.blobs.add(blob);
    let to = at + RECORD_SIZE;
    for (const part of [path, link, xattrs]) {
      this.bytes.set(part, to);
      to += part.length;
    }
    for (const { offset, length, dataAt, blob } of pieces) {
      v.setFloat64(to, offset, true);
      v.setFloat64(to + PIECE_LENGTH, length, true);
      v.setFloat64(to + PIECE_DATA_AT, dataAt, true);
      put8(v, to + PIECE_BLOB, blob);
      to += PIECE_SIZE;
    }
  }

  whole(): StoredChanges {
    put32(this.v, VERSION_AT, VERSION);
    put32(this.v, COUNT_AT, this.count);
    return { bytes: this.bytes.slice(0, this.end), blobs: this.blobs };
  }

  private reserve(): void {
    if (this.end <= this.bytes.length) return;
    if (this.end > MAX_METADATA)
      throw new BudgetExceeded(
        `the changes of the layer take more than ${MAX_METADATA} bytes, the most that is read of an image's metadata`,
      );
    const longer = new Uint8Array(Math.max(this.end, 2 * this.bytes.length));
    longer.set(this.bytes);
    this.bytes = longer;
    this.v = new DataView(longer.buffer);
  }
}
