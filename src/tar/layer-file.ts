import type { Piece } from "./entry.ts";

/** Where a layer is: a file of its own, or a part of one, as layers are in archives of images. */
export interface LayerFile {
  /** "-" is standard input. */
  readonly path: string;
  /** For messages. */
  readonly name: string;
  /** Bytes of the file; undefined: all of it. */
  readonly part?: Part | undefined;
  /** Of a part with holes in it, as `tar -S` packs archives: where what is between them lies in the file. */
  readonly pieces?: readonly Piece[] | undefined;
  /** The directory that it was found below, where an image named it; then `path` has no links in it. */
  readonly within?: string | undefined;
}

export interface Part {
  readonly at: number;
  readonly size: number;
}

export const wholeFile = (path: string, name = path === "-" ? "standard input" : path): LayerFile => ({
  path,
  name,
});
