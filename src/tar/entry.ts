/** What an entry makes. A hard link is one more name of a file; `file` includes '7' (contiguous) and sparse ones. */
export type EntryKind = "file" | "hardlink" | "symlink" | "char" | "block" | "directory" | "fifo";

/** An extended attribute; `name` in full, `user.x`. Any byte may be in a value, also none at all. */
export interface Xattr {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** A run of a sparse file's bytes: `[offset, offset + length)` of the file lies at `dataAt` of the tar. */
export interface Piece {
  readonly offset: number;
  readonly length: number;
  readonly dataAt: number;
}

/** What the headers of an entry say, extension headers included. Numbers are exact integers. */
export interface EntryHeader {
  readonly kind: EntryKind;
  /** As archived, nothing normalised: may be empty, absolute, with `..`, or end in slashes. Never with a NUL. */
  readonly path: Uint8Array;
  /** Target of a hard link or symlink as archived; else empty. */
  readonly link: Uint8Array;
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number;
  /** 0 to 2^32 - 1, as `gid`. */
  readonly uid: number;
  readonly gid: number;
  /** Seconds, negative before 1970; `mtimeNsec`, 0 to 999,999,999, is added to it. */
  readonly mtime: number;
  readonly mtimeNsec: number;
  /** Of a device, as in bytes/device-number; else 0. */
  readonly rdev: number;
  /** Bytes of a file, holes included; 0 for whatever is none. */
  readonly size: number;
  /** No name twice; in the order of their records. */
  readonly xattrs: readonly Xattr[];
}

/** One entry of a tar; offsets are bytes of the tar. The byte arrays belong to the entry. */
export interface TarEntry extends EntryHeader {
  /** Of the entry's first header: an extension header (x, L, K), when there is one. */
  readonly at: number;
  /** Where the stored bytes begin, or would; a multiple of 512. */
  readonly dataAt: number;
  /** Sorted, apart from each other, none empty; what no piece covers is zeros. Undefined: all at `dataAt`. */
  readonly sparse: readonly Piece[] | undefined;
}
