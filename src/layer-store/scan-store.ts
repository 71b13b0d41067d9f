import { closeSync, fstatSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../bytes/errors.ts";
import { SHA256 } from "../bytes/sha256.ts";
import { readTables } from "../erofs/open.ts";
import type { Rafs } from "../erofs/rafs.ts";
import { BLOCK } from "../mkfs/chunk-map.ts";
import { idOfBootstrap, keyOfMerged, StorePlaces } from "./store-places.ts";
import type { Converted, MergeDone, Scanned, ScanTask } from "./tasks.ts";

/**
 * Looks at everything in a store that no process uses: lengths and headers. What a crash has left of something goes; so does what
 * is damaged, since what it was made of is elsewhere.
 */
export function scanStore({ root }: ScanTask): Scanned {
  const places = new StorePlaces(root);
  for (const name of readdirSync(places.staging))
    rmSync(join(places.staging, name), { recursive: true, force: true });
  const problems: string[] = [];
  const found = <T>(path: string, look: () => T): T[] => {
    try {
      return [look()];
    } catch (error) {
      problems.push(`${messageOf(error)}: removed`);
      rmSync(path, { force: true });
      return [];
    }
  };
  const layers = readdirSync(places.boots).flatMap((name) => {
    const id = idOfBootstrap(name);
    return id === undefined ? [] : found(places.bootstrap(id), () => layerOf(places, id));
  });
  const known = new Set(layers.flatMap(({ id, side }) => (side === undefined ? [id] : [id, side.id])));
  for (const name of readdirSync(places.blobs))
    if (SHA256.test(name) && !known.has(name)) rmSync(places.tar(name), { force: true });
  const merged = readdirSync(places.merged).flatMap((name) => {
    const key = keyOfMerged(name);
    return key === undefined ? [] : found(places.mergedBootstrap(key), () => mergedOf(places, key, known));
  });
  return { layers, merged, problems };
}

/** @throws what is wrong with it */
function layerOf(places: StorePlaces, id: string): Converted {
  const path = places.bootstrap(id);
  const { bytes, rafs } = look(path);
  let tarBytes: number | undefined;
  let side: Converted["side"];
  for (const blob of rafs.blobs) {
    const size = statSync(places.tar(blob.id)).size;
    if (size !== blob.compressedSize)
      throw new Error(`${places.tar(blob.id)}: ${size} bytes, want ${blob.compressedSize}`);
    if (blob.id === id) tarBytes = size;
    else side = { id: blob.id, bytes: size };
  }
  tarBytes ??= emptyTar(places.tar(id), path);
  return { id, tarBytes, bootstrapBytes: bytes, side };
}

/** A tar of less than a block is in no device table. */
function emptyTar(tar: string, bootstrap: string): number {
  const { size } = statSync(tar);
  if (size < BLOCK) return size;
  throw new Error(`${bootstrap}: it does not refer to its tar`);
}

function mergedOf(
  places: StorePlaces,
  key: string,
  known: ReadonlySet<string>,
): MergeDone & { readonly key: string } {
  const path = places.mergedBootstrap(key);
  const { bytes, rafs } = look(path);
  const missing = rafs.blobs.find(({ id }) => !known.has(id));
  if (missing !== undefined) throw new Error(`${path}: it refers to ${missing.id}, which is not there`);
  return { key, bytes, blobs: rafs.blobs.map(({ id }) => id) };
}

function look(path: string): { readonly bytes: number; readonly rafs: Rafs } {
  const fd = openSync(path, "r");
  try {
    const bytes = fstatSync(fd).size;
    const { rafs } = readTables(fd, bytes, path);
    if (rafs === undefined || !rafs.isTarfs) throw new Error(`${path}: no bootstrap of a tar`);
    return { bytes, rafs };
  } finally {
    closeSync(fd);
  }
}
