import type { Tree } from "./tree.ts";

/** Told what becomes of the names of a tree. */
export interface TreeWitness {
  /** A name is about to get an inode: its first, or another in place of one. */
  put(node: number, inode: number): void;
  /**
   * A name that may have been there is about to go.
   *
   * @param by with which it goes: itself, or a directory above it
   */
  gone(node: number, by: number): void;
}

/** What a layer says of something below it: the name that says it, in which directory, and its time. */
export interface Marker {
  readonly kind: "whiteout" | "opaque";
  readonly directory: number;
  /** Empty when the directory says it itself, as overlayfs' opaque ones do. */
  readonly name: Uint8Array;
  readonly mtime: number;
  readonly mtimeNsec: number;
}

/** Told, besides, which layer is laid and what is a marker's doing: so what is told of layers cannot differ from what is mounted. */
export interface LayerWitness extends TreeWitness {
  /** The next layer begins, the lowest first. */
  begin(tree: Tree): void;
  /** Whatever goes until `hidden` is this marker's doing. */
  hiding(marker: Marker): void;
  hidden(): void;
}
