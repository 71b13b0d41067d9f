/** Where a layer is: a file of its own, or a part of one, as layers are in archives of images. */
export interface LayerFile {
  /** "-" is standard input. */
  readonly path: string;
  /** For messages. */
  readonly name: string;
  /** Bytes of the file; undefined: all of it. */
  readonly part?: Part | undefined;
  /** The directory that it was found below, where an image named it; then `path` has no links in it. */
  readonly within?: string | undefined;
}

export interface Part {
  readonly at: number;
  readonly size: number;
}

export const wholeFile = (path: string): LayerFile => ({
  path,
  name: path === "-" ? "standard input" : path,
});
