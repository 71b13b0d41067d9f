import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, statSync } from "node:fs";
import { type Moved, mergeImages } from "../mkfs/merge.ts";
import { StartError } from "../bytes/errors.ts";
import { readTables } from "../erofs/open.ts";
import { wholeFile } from "../tar/layer-file.ts";
import { Cache, type Known } from "./cache.ts";
import { decompressArchive } from "./compressed-archive.ts";
import type { Choice, Documents, ImageLayer } from "./documents.ts";
import { type Source, sourceOf } from "./kind.ts";
import { type Means, prepareLayers } from "./layers.ts";
import type { Report } from "./report.ts";

const WRITTEN_BACK_MS = 60_000;

export interface Sources extends Choice {
  /** A bootstrap or image; or layers and OCI layouts and archives, whose layers count as given here, lowest first. */
  readonly paths: readonly string[];
  readonly cacheDir: string;
  /** Directories that links in OCI layouts may lead to. */
  readonly blobDirs: readonly string[];
  readonly report: Report;
  readonly warn: (message: string) => void;
}

/** An image that can be mounted, and where its tars are. */
export interface Prepared {
  readonly bootstrap: string;
  /** Directories to look in; none: nothing is known. */
  readonly blobDirs: readonly string[];
  /** Files by blob id. */
  readonly blobs: readonly (readonly [id: string, path: string])[];
  /** By id: the directory below which such a file was found, and where it must be when it is opened. */
  readonly within: ReadonlyMap<string, string>;
  /**
   * To be called once it is mounted: waits until the disk has what was written.
   *
   * @param isWaiting without that only for what the kernel has written by itself, as it does within half a minute
   */
  readonly settle: (isWaiting: boolean) => Promise<void>;
}

/**
 * Makes an image of whatever people have. Plain tars stay where they are, also within archives; compressed ones are
 * written once, into the cache, as are bootstraps; what is there already is taken as it is.
 *
 * @throws StartError, FormatError; nothing half-made is left behind
 */
export async function prepareImage(sources: Sources): Promise<Prepared> {
  const { paths, report, warn } = sources;
  let cache: Cache | undefined; // none is made for an image that is mounted as it is
  const cached = () => {
    cache ??= new Cache(sources.cacheDir);
    return cache;
  };
  const found = await Promise.all(paths.map((path) => sourceOf(path, cached)));
  const image = found.findIndex(({ kind }) => kind === "image");
  if (image >= 0) {
    if (paths.length > 1) throw new StartError(`${paths[image]}: an image is mounted alone, not with others`);
    return { bootstrap: paths[0], blobDirs: [], blobs: [], within: new Map(), settle: async () => {} };
  }
  const means: Means = { cache: cached(), report, warn };
  const layers: ImageLayer[] = [];
  for (const [i, path] of paths.entries()) layers.push(...(await layersOf(path, found[i], sources, means)));
  if (layers.length === 0) throw new StartError(`${paths.join(", ")}: an image without layers`);
  return imageOf(layers, await prepareLayers(layers, means), means.cache);
}

async function layersOf(path: string, source: Source, choice: Sources, means: Means): Promise<ImageLayer[]> {
  if (source.kind === "oci-layout") return documented(path, choice);
  if (source.kind === "archive") return documented(source.archive, choice);
  if (source.kind !== "compressed-archive") return [{ file: wholeFile(path), diffId: undefined }];
  const inside = await decompressArchive(path, means);
  return typeof inside === "string"
    ? [{ file: wholeFile(inside), diffId: undefined }]
    : documented(inside, choice);
}

/** Its schema library costs 90 ms: only for those who have documents. */
async function documented(from: string | Documents, choice: Sources): Promise<ImageLayer[]> {
  const { directoryDocuments } = await import("./documents.ts");
  const docs = typeof from === "string" ? directoryDocuments(from, choice.blobDirs) : from;
  if (docs.has("index.json")) return (await import("./oci-layout.ts")).ociLayers(docs, choice);
  return (await import("./docker-archive.ts")).dockerLayers(docs, choice);
}

/** Lays layers over one another. Tars that are parts of an archive are found in that: it is the blob of all of them. */
function imageOf(layers: readonly ImageLayer[], known: readonly Known[], cache: Cache): Prepared {
  const archives = archivesOf(layers, known);
  const ids = known.map(({ id }) => id);
  const moved = layers.map(({ file: { path, part } }, i): Moved | undefined => {
    const to = archives.get(path);
    return to && part && known[i].kind === "plain" ? { from: ids[i], to, at: part.at } : undefined;
  });
  const keys = ids.map((id, i) => (moved[i] ? `${id} ${moved[i].to.id} ${moved[i].at}` : id));
  const isLayer = known.length === 1 && known[0].isImage === true && moved[0] === undefined;
  const bootstrap = isLayer ? cache.layer(ids[0]) : cache.image(keys);
  if (!existsSync(bootstrap))
    mergeImages({
      layers: ids.map((id) => cache.layer(id)),
      moved,
      bootstrap,
      blobDir: undefined,
      prefetch: [],
      isContent: true,
      whiteouts: "oci",
    });
  cache.use([bootstrap]);
  const used = blobIds(bootstrap);
  const pathOf = (i: number) => (known[i].kind === "compressed" ? cache.blob(ids[i]) : layers[i].file.path);
  const places = layers
    .map((_, i) => [moved[i]?.to.id ?? ids[i], pathOf(i)] as const)
    .filter(([id]) => used.has(id));
  const within = new Map(
    layers.flatMap(({ file }, i) =>
      file.within && known[i].kind === "plain" ? [[ids[i], file.within]] : [],
    ),
  );
  const written = new Set([...ids, ...layers.flatMap(({ file }) => cache.idOf(file.path) ?? [])]);
  return {
    bootstrap,
    blobDirs: [cache.blobs],
    blobs: [...new Map(places)],
    within,
    settle: (isWaiting) => cache.settle(written, isWaiting ? 0 : WRITTEN_BACK_MS),
  };
}

/**
 * Archives with plain tars in them, as blobs by path. Hashing one whole would read everything twice: where its layers
 * lie says as much.
 */
function archivesOf(
  layers: readonly ImageLayer[],
  known: readonly Known[],
): Map<string, { id: string; size: number }> {
  const parts = new Map<string, string[]>();
  layers.forEach(({ file: { path, part } }, i) => {
    if (part === undefined || known[i].kind !== "plain") return;
    parts.set(path, [...(parts.get(path) ?? []), `${part.at} ${known[i].id}`]);
  });
  return new Map(
    [...parts].map(([path, lines]) => {
      const id = createHash("sha256").update(lines.join("\n")).digest("hex");
      // Whoever takes an id of 64 digits for the sha256 of a file shall not be deceived.
      return [path, { id: `archive-${id.slice(0, 56)}`, size: statSync(path).size }];
    }),
  );
}

/** Blobs that an image refers to: layers above may have taken all of a layer's files away. */
function blobIds(bootstrap: string): Set<string> {
  const fd = openSync(bootstrap, "r");
  try {
    return new Set(readTables(fd, fstatSync(fd).size, bootstrap).devices.map(({ id }) => id));
  } finally {
    closeSync(fd);
  }
}
