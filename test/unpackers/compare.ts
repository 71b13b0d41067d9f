import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { createLayerImage } from "../../src/mkfs/create.ts";
import { mergeImages } from "../../src/mkfs/merge.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import { type Made, tarOf } from "../mkfs/emit.ts";
import { content, type Expected, nodeAt, pathOf, serve, tree } from "../support/image.ts";
import type { Outcome, Unpacked, Unpackers } from "./unpackers.ts";

/** A tree in a line a name, without what unpacking leaves to chance or to the disk. */
export type Lines = readonly string[];

export interface Compared {
  readonly containerd: Lines | undefined;
  readonly umoci: Lines | undefined;
  readonly ours: Lines | undefined;
  readonly refusals: readonly string[];
}

/** Has a stack unpacked by containerd and umoci, and builds its image. */
export async function compareStack(
  stack: readonly Made[][],
  dir: string,
  unpackers: Unpackers,
): Promise<Compared> {
  const tars = stack.map((_, i) => join(dir, `${i}.tar`));
  stack.forEach((layer, i) => {
    writeFileSync(tars[i], tarOf(layer));
  });
  const theirs = await unpackers.unpack(dir, tars);
  const ours = await ourOutcome(tars, dir);
  const all = [theirs.containerd, theirs.umoci, ours];
  const [containerd, umoci, own] = all.map(linesOf);
  return { containerd, umoci, ours: own, refusals: all.map(({ refused }) => refused ?? "") };
}

async function ourOutcome(tars: readonly string[], dir: string): Promise<Outcome> {
  const bootstrap = join(dir, "image.boot");
  const warn = () => {};
  const options = { blobDir: undefined, prefetch: [], whiteouts: "oci", keepsBlobs: true, warn } as const;
  try {
    const layers = [];
    for (const [i, tar] of tars.entries()) {
      const { image } = await createLayerImage({
        ...options,
        ...{ layer: wholeFile(tar), isOfImage: true, blobId: `${i}`, blobLink: "none", ignoreZeros: false },
        ...{ chunkSize: 0x10_0000, isRepeatable: false },
      });
      layers.push({ name: tar, image });
    }
    mergeImages({ ...options, layers, bootstrap });
    return { entries: shown(bootstrap, tars) };
  } catch (error) {
    if (error instanceof FormatError || error instanceof OperationalError) return { refused: error.message };
    throw error;
  } finally {
    rmSync(bootstrap, { force: true });
  }
}

function shown(bootstrap: string, tars: readonly string[]): Unpacked[] {
  const { fs } = serve(bootstrap, { dirs: [], files: new Map(tars.map((tar, i) => [`${i}`, tar])) });
  return unpackedOf(tree(fs), ({ size }, path) => content(fs, nodeAt(fs, path), size));
}

/** @param read all of a file */
export function unpackedOf(
  entries: readonly Expected[],
  read: (entry: Expected, path: string) => Uint8Array,
): Unpacked[] {
  const first = new Map<number, string>();
  return entries.map((e): Unpacked => {
    const path = pathOf(e).toString();
    const mode = Number.parseInt(e.mode, 8);
    const isFile = e.mode.startsWith("010");
    const data = isFile ? { data: Buffer.from(read(e, path)).toString() } : {};
    const same = first.get(e.ino) ?? path;
    if (!e.mode.startsWith("004")) first.set(e.ino, same);
    const { uid, gid, mtime, target } = e;
    return { path, mode, uid, gid, mtime, ...data, ...(target === undefined ? {} : { target }), same };
  });
}

/** The root's attributes are left out, which containerd never takes, and times and sizes of directories. */
export function linesOf({ entries }: Outcome): Lines | undefined {
  if (entries === undefined) return undefined;
  const names = new Map<string, string[]>();
  for (const { path, same = path } of entries) names.set(same, [...(names.get(same) ?? []), path]);
  return entries
    .filter(({ path }) => path !== "/")
    .map(({ path, mode, uid, gid, mtime, target, data, same = path }) => {
      const isDirectory = (mode & 0xf000) === 0x4000;
      const links = names.get(same)?.sort().join("=") ?? "";
      const what = [
        mode.toString(8),
        `${uid}:${gid}`,
        isDirectory ? "" : mtime,
        target ?? "",
        data ?? "",
        links,
      ];
      return `${path} ${isDirectory ? what.slice(0, 2).join(" ") : what.join(" ")}`;
    })
    .sort();
}
