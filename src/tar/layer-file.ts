import { fstatSync, openSync, type Stats, statSync } from "node:fs";
import { versionOf } from "../safe-open/identity.ts";
import { renamed } from "../safe-open/open-file.ts";
import type { Piece } from "./entry.ts";

/** A layer: a file of its own, or a part of one, as layers are in archives of images. */
export interface LayerFile {
  /**
   * Open from the moment when it was looked at: that file is the layer, whatever becomes of its path. Whoever opened it closes
   * it. undefined: standard input, or what is read once and by whoever opens it then.
   */
  readonly fd?: number | undefined;
  /** What the file was when it was opened: see `versionOf`. */
  readonly version?: string | undefined;
  /** Where it was found, to be shown, and told to others, who ask for the same file; "-" is standard input. */
  readonly path: string;
  /** For messages. */
  readonly name: string;
  /** Bytes of the file; undefined: all of it. */
  readonly part?: Part | undefined;
  /** Of a part with holes in it, as `tar -S` packs archives: where what is between them lies in the file. */
  readonly pieces?: readonly Piece[] | undefined;
}

export interface Part {
  readonly at: number;
  readonly size: number;
}

export const wholeFile = (path: string, name = path === "-" ? "standard input" : path): LayerFile => ({
  path,
  name,
});

/** @param fd stays the caller's to close */
export const openedFile = (fd: number, path: string, name: string): LayerFile => ({
  ...{ fd, path, name },
  version: versionOf(fd),
});

/** A path that leads to what a layer is, wherever its own path leads by now. */
const pathOf = ({ fd, path }: LayerFile): string => (fd === undefined ? path : `/proc/self/fd/${fd}`);

/** @returns a descriptor with a position of its own, to be closed @throws the system error, naming the layer's path */
export function openAgain(file: LayerFile): number {
  try {
    return openSync(pathOf(file), "r");
  } catch (error) {
    throw renamed(error, pathOf(file), file.path);
  }
}

/** undefined: it is not there, or comes by standard input. */
export function statsOf({ fd, path }: LayerFile): Stats | undefined {
  if (fd !== undefined) return fstatSync(fd);
  return path === "-" ? undefined : statSync(path, { throwIfNoEntry: false });
}
