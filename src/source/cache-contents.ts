import { closeSync, existsSync, fstatSync, lstatSync, openSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../bytes/errors.ts";
import { SHA256 } from "../bytes/sha256.ts";
import { readTables } from "../erofs/open.ts";
import { FOLDERS, mustBeOwnCache, UNSYNCED } from "./cache.ts";

/** One file of a cache. */
export interface CacheFile {
  readonly kind: "image" | "layer" | "blob" | "note" | "leftover";
  readonly path: string;
  /** sha256 that names it, without suffix. */
  readonly id: string;
  /** Bytes on disk. */
  readonly bytes: number;
  readonly used: Date;
  readonly dev: number;
  readonly ino: number;
  /** Ids of the blobs that a bootstrap refers to, in the cache or not. */
  readonly blobs: readonly string[];
}

const KIND = { images: "image", layers: "layer", blobs: "blob", files: "note" } as const;
/** What a process is making has a name that begins with a dot; after so long it is dead. */
const LEFTOVER_MS = 3_600_000;

/**
 * Everything in a cache, the most recently used first; nothing when there is none.
 *
 * @throws OperationalError when it is not this user's own: what is listed may be removed next
 */
export function cacheContents(dir: string): CacheFile[] {
  mustBeOwnCache(dir);
  const all: CacheFile[] = [];
  for (const folder of FOLDERS)
    for (const name of namesIn(join(dir, folder))) {
      const path = join(dir, folder, name);
      // The same tar, for as long as a process may be about to open it: see `Cache.makeDurable`.
      if (name.endsWith(UNSYNCED) && existsSync(path.slice(0, -UNSYNCED.length))) continue;
      const stats = lstatSync(path, { throwIfNoEntry: false });
      const kind = kindOf(folder, name);
      if (kind === undefined || !stats?.isFile()) continue; // not made here
      const isBootstrap = kind === "image" || kind === "layer";
      all.push({
        kind,
        path,
        id: name.replace(/\..*$/, ""),
        bytes: stats.blocks * 512,
        used: stats.mtime,
        ...{ dev: stats.dev, ino: stats.ino },
        blobs: isBootstrap ? blobsOf(path) : [],
      });
    }
  return all.sort((a, b) => b.used.getTime() - a.used.getTime());
}

/**
 * What may go: whatever was not used since `before`, but tars that a bootstrap needs that stays, and leftovers of
 * runs that were killed.
 *
 * @param isMounted whether a mount reads it: it is open, but a process that goes on after another one opens it again
 */
export function garbageOf(
  all: readonly CacheFile[],
  before: Date,
  isMounted: (file: CacheFile) => boolean = () => false,
  now = new Date(),
): CacheFile[] {
  const isOld = (file: CacheFile) => file.used.getTime() < before.getTime() && !isMounted(file);
  const needed = new Set(all.filter((one) => !isOld(one)).flatMap(({ blobs }) => blobs));
  return all.filter((one) => {
    if (one.kind === "leftover") return now.getTime() - one.used.getTime() > LEFTOVER_MS;
    return isOld(one) && !(one.kind === "blob" && needed.has(one.id));
  });
}

/** Bootstraps go first: what is left never refers to what is gone. */
export function removeGarbage(garbage: readonly CacheFile[]): void {
  const order = ["note", "image", "layer", "blob", "leftover"];
  const sorted = [...garbage].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  for (const { path } of sorted) for (const each of [path, path + UNSYNCED]) rmSync(each, { force: true });
}

/** What a process is making, and a blob that was not on disk when the system went down. */
const LEFTOVER = /^\.(.+\.)?[0-9a-f]{16,24}(\.tmp)?$|^[0-9a-f]{64}\.[0-9a-f-]{36}$/;
/** Of whatever version of the builder. */
const BOOTSTRAP = /^[0-9a-f]{64}(\.v\d+)?\.boot$/;
const NAME = {
  images: BOOTSTRAP,
  layers: BOOTSTRAP,
  blobs: SHA256,
  files: SHA256,
} as const;

/** @returns undefined for a name that no cache gives: whoever has put that there may keep it */
function kindOf(folder: keyof typeof NAME, name: string): CacheFile["kind"] | undefined {
  const plain = folder === "blobs" && name.endsWith(UNSYNCED) ? name.slice(0, -UNSYNCED.length) : name;
  if (NAME[folder].test(plain)) return KIND[folder];
  return LEFTOVER.test(name) ? "leftover" : undefined;
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

/** None of a bootstrap that cannot be read: it is worth nothing, and goes when its time comes. */
function blobsOf(path: string): string[] {
  try {
    const fd = openSync(path, "r");
    try {
      return readTables(fd, fstatSync(fd).size, path).devices.map(({ id }) => id);
    } finally {
      closeSync(fd);
    }
  } catch {
    return [];
  }
}
