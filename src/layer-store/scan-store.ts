import { closeSync, fstatSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../bytes/errors.ts";
import { SHA256 } from "../bytes/sha256.ts";
import { readTables } from "../erofs/open.ts";
import type { Rafs } from "../erofs/rafs.ts";
import { BLOCK } from "../mkfs/chunk-map.ts";
import { bestOf, StorePlaces } from "./store-places.ts";
import type { DamagedLayer, FoundLayer, FoundMerged, Scanned, ScanTask } from "./tasks.ts";

/**
 * Looks at everything in a store that no process uses: lengths and headers. What a crash has left of something goes; so does what
 * is damaged and cannot be made again.
 */
export function scanStore({ root }: ScanTask): Scanned {
  const places = new StorePlaces(root);
  const problems: string[] = [];
  for (const name of readdirSync(places.staging))
    rmSync(join(places.staging, name), { recursive: true, force: true });
  const layers: FoundLayer[] = [];
  const damaged: DamagedLayer[] = [];
  for (const [id, path] of bestOf(places.boots)) {
    try {
      layers.push(layerOf(places, id, path));
    } catch (error) {
      const problem = messageOf(error);
      const tarBytes = error instanceof NoTar ? undefined : sizeOf(places.tar(id));
      if (tarBytes !== undefined) damaged.push({ id, tarBytes, bootstrap: path, problem });
      else {
        problems.push(`${problem}: removed`);
        rmSync(path);
      }
    }
  }
  const known = new Set(layers.flatMap(({ id, side }) => (side === undefined ? [id] : [id, side.id])));
  for (const { id } of damaged) known.add(id);
  for (const name of readdirSync(places.blobs))
    if (SHA256.test(name) && !known.has(name)) rmSync(places.tar(name));
  const merged: FoundMerged[] = [];
  for (const [key, path] of bestOf(places.merged)) {
    try {
      merged.push(mergedOf(places, key, path));
    } catch (error) {
      problems.push(`${messageOf(error)}: removed`);
      rmSync(path);
    }
  }
  return { layers, damaged, merged, problems };
}

class NoTar extends Error {}

/** @throws what is wrong with it */
function layerOf(places: StorePlaces, id: string, bootstrap: string): FoundLayer {
  const { bytes, rafs } = look(bootstrap);
  const tarBytes = sizeOf(places.tar(id));
  if (tarBytes === undefined) throw new NoTar(`${places.tar(id)}: not there`);
  let side: FoundLayer["side"];
  let hasTar = tarBytes < BLOCK; // such a tar is in no device table
  for (const { id: blob, compressedSize: want } of rafs.blobs) {
    const path = places.tar(blob);
    const size = sizeOf(path);
    if (size !== want) throw new Error(`${path}: ${size ?? "no"} bytes, want ${want}`);
    if (blob === id) hasTar = true;
    else side = { id: blob, bytes: size };
  }
  if (!hasTar) throw new Error(`${bootstrap}: it does not refer to its tar`);
  return { id, tarBytes, bootstrapBytes: bytes, side, bootstrap };
}

function mergedOf(places: StorePlaces, key: string, bootstrap: string): FoundMerged {
  const { bytes, rafs } = look(bootstrap);
  const missing = rafs.blobs.find(({ id }) => sizeOf(places.tar(id)) === undefined);
  if (missing !== undefined) throw new Error(`${bootstrap}: it refers to ${missing.id}, which is not there`);
  return { key, bytes, blobs: rafs.blobs.map(({ id }) => id), bootstrap };
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

const sizeOf = (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.size;
