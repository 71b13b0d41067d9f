import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
} from "node:fs";
import { OperationalError } from "../bytes/errors.ts";
import { MAX_PATH } from "../bytes/limits.ts";
import { DOT, showName, SLASH } from "../bytes/name.ts";
import { markerFor, markerOf, OPAQUE_MARKER } from "../mkfs/whiteout.ts";
import { kindOfMode } from "../tar/kind-of-mode.ts";
import { bodyOf, changedMeanwhile, problemAt } from "./changed-file.ts";
import { type Change, headerOf, layerXattrs, marker } from "./layer-entry.ts";
import { LinkedFiles } from "./linked-files.ts";
import { type DirectoryMarks, OverlayMarks } from "./overlay-marks.ts";
import type { WritableMount } from "./writable-mount.ts";

/** A directory, by descriptors: nobody who works in the mount leads the way elsewhere. */
interface Place {
  /** In the upper layer; undefined: all that the mount shows here belongs to the layer. */
  readonly upper: number | undefined;
  readonly merged: number;
  /** Of the layer, with its slash; empty for the root. */
  readonly path: Uint8Array;
}

/** A directory while its names are gone through. */
interface Listing {
  readonly place: Place;
  /** Where its names are; nanoseconds, of the last change before they were listed. */
  readonly listed: number;
  readonly before: bigint;
  /** As Latin-1, a character for each byte: a million of them are a third of what they are as buffers. */
  readonly names: Iterator<string>;
  close(): void;
}

const ROOT = Uint8Array.of(DOT, SLASH);
const NO_MARKS: DirectoryMarks = { isOpaque: false, isRedirected: false };
/** Of a path in messages, where it is too long. */
const SHOWN = 100;

/**
 * What an overlay's upper layer says, as entries of an OCI layer: of a directory itself first, then that nothing shows through,
 * then of its names in the order of their bytes. Which names were changed the upper layer says; what they are now, the mount:
 * it knows whose data a file has of which only the attributes were changed, and what is in a directory that was renamed.
 */
export class Changes {
  private readonly marks: OverlayMarks;
  private readonly mount: WritableMount;
  private readonly warn: (message: string) => void;
  private readonly linked = new LinkedFiles();
  /** Directories on the way, each in the one before: who works in the mount makes it as long as he likes. */
  private readonly way: Listing[] = [];

  constructor(mount: WritableMount, warn: (message: string) => void) {
    this.mount = mount;
    this.marks = new OverlayMarks(mount.options);
    this.warn = warn;
  }

  /** @throws OperationalError for what no layer can say, and when something changes meanwhile */
  *entries(): Generator<Change> {
    const { upper, merged } = this.mount;
    try {
      yield* this.enter({ upper, merged, path: new Uint8Array(0) }, () => {});
      for (let here = this.way.at(-1); here !== undefined; here = this.way.at(-1)) {
        const next = here.names.next();
        if (next.done === true) this.leave(here);
        else yield* this.named(here.place, Buffer.from(next.value, "latin1"));
      }
    } finally {
      for (const listing of this.way) listing.close();
    }
    this.linked.mustHaveAllNames();
  }

  private *enter(place: Place, close: () => void): Generator<Change> {
    const { upper, merged, path } = place;
    let isListed = false;
    try {
      const own = below(merged, Uint8Array.of(DOT));
      const stats = lstatSync(own, { bigint: true });
      const xattrs = layerXattrs(own);
      yield { entry: headerOf("directory", shownPath(path), stats, { xattrs }), body: [] };
      const { isOpaque, isRedirected } =
        upper === undefined ? NO_MARKS : this.marks.of(below(upper, Uint8Array.of(DOT)));
      if (isOpaque || isRedirected) yield marker(path, OPAQUE_MARKER);
      const from = isRedirected ? { ...place, upper: undefined } : place;
      const listed = from.upper ?? merged;
      const before = fstatSync(listed, { bigint: true }).mtimeNs;
      const names = readdirSync(below(listed, Uint8Array.of(DOT)), { encoding: "latin1" }).sort(byUnits);
      this.way.push({ place: from, listed, before, names: names.values(), close });
      isListed = true;
    } finally {
      if (!isListed) close();
    }
  }

  private leave({ listed, before, place, close }: Listing): void {
    this.way.pop();
    try {
      if (fstatSync(listed, { bigint: true }).mtimeNs !== before)
        throw changedMeanwhile(shownPath(place.path));
    } finally {
      close();
    }
  }

  private *named({ upper, merged, path }: Place, name: Uint8Array): Generator<Change> {
    const full = Buffer.concat([path, name]);
    try {
      if (full.length > MAX_PATH)
        throw new OperationalError(
          `${showName(full.subarray(0, SHOWN))}…: no layer can have it: its path is longer than ${MAX_PATH} bytes`,
        );
      if (upper !== undefined) {
        const file = below(upper, name);
        if (this.marks.isWhiteout(file, lstatSync(file, { bigint: true })))
          return yield marker(path, markerFor(name));
      }
      if (markerOf(name, 0, name.length) !== "itself")
        throw new OperationalError(
          `${showName(full)}: no layer can have it: of a name with .wh. it says that something is gone`,
        );
      const file = below(merged, name);
      const stats = lstatSync(file, { bigint: true });
      if (stats.isDirectory()) yield* this.inside({ upper, merged, path: full }, name);
      else yield* this.file(file, full, stats, upper !== undefined);
    } catch (error) {
      throw problemAt(full, error);
    }
  }

  private *inside({ upper, merged, path }: Place, name: Uint8Array): Generator<Change> {
    const open: number[] = [];
    const close = () => {
      for (const fd of open.splice(0)) closeSync(fd);
    };
    try {
      for (const fd of upper === undefined ? [merged] : [merged, upper])
        open.push(openDirectory(below(fd, name)));
    } catch (error) {
      close();
      throw error;
    }
    const [mergedInside = merged, upperInside] = open;
    const slashed = Buffer.concat([path, Uint8Array.of(SLASH)]);
    yield* this.enter({ upper: upperInside, merged: mergedInside, path: slashed }, close);
  }

  private *file(file: Buffer, path: Uint8Array, stats: BigIntStats, isUpper: boolean): Generator<Change> {
    const kind = kindOfMode(Number(stats.mode));
    if (kind === undefined) return this.warn(`${showName(path)}: a socket, left out: a tar cannot hold one`);
    const first = this.linked.firstName(path, stats, isUpper);
    if (first !== undefined)
      return yield { entry: headerOf("hardlink", path, stats, { link: first }), body: [] };
    const link = kind === "symlink" ? readlinkSync(file, { encoding: "buffer" }) : undefined;
    const entry = headerOf(kind, path, stats, { link, xattrs: layerXattrs(file) });
    yield { entry, body: kind === "file" ? bodyOf(file, path, stats) : [] };
  }
}

const shownPath = (path: Uint8Array): Uint8Array => (path.length === 0 ? ROOT : path);

/** Order of bytes, of strings in Latin-1. */
const byUnits = (a: string, b: string): number => (a < b ? -1 : 1);

const below = (fd: number, name: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);

const openDirectory = (path: Buffer): number =>
  openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
