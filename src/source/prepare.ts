import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { OperationalError, UsageError } from "../bytes/errors.ts";
import { readTables } from "../erofs/open.ts";
import { type MovedBlob, mergeImages } from "../mkfs/merge.ts";
import { type Identity, identityOf } from "../safe-open/identity.ts";
import { strangerOf } from "../safe-open/strangers.ts";
import { type LayerFile, statsOf } from "../tar/layer-file.ts";
import { CACHE_ADVICE, Cache, type KnownFile, MAKE_ROOM } from "./cache.ts";
import type { ImageLayer } from "./documents.ts";
import { emptyLayer } from "./empty-layer.ts";
import { Opened } from "./opened.ts";
import { type Source, sourcesOf } from "./kind.ts";
import { type BuiltLayer, type PrepareContext, prepareLayers } from "./layers.ts";
import type { WantedPlatform } from "./platform.ts";
import type { Report } from "../mkfs/report.ts";

const WRITTEN_BACK_MS = 60_000;

export interface Sources {
  /** Which of several images is meant: its name, or a digest. */
  readonly ref?: string | undefined;
  readonly platform?: WantedPlatform | undefined;
  /**
   * As people name them: a bootstrap or image; or layers and OCI layouts and archives, whose layers count as given here,
   * lowest first.
   */
  readonly paths: readonly string[];
  /** Where the image is to be seen. */
  readonly mountpoint?: string;
  readonly cacheDir: string;
  /** Directories that links in OCI layouts may lead to. */
  readonly blobDirs: readonly string[];
  /** Options that say where the blobs of a bootstrap are, as they were given. */
  readonly blobOptions?: readonly string[];
  readonly report: Report;
  /** Refuse layers with extended attributes that an image does not keep. */
  readonly strictXattrs?: boolean | undefined;
  /** Bytes that a layer which comes compressed or through a pipe may become. */
  readonly maxLayerSize?: number | undefined;
  readonly warn: (message: string) => void;
}

/** An image that can be mounted, and where its tars are. */
export interface PreparedImage {
  readonly bootstrap: string;
  /** Directories to look in; none: nothing is known. */
  readonly blobDirs: readonly string[];
  /** Files by blob id. */
  readonly blobs: readonly (readonly [id: string, path: string])[];
  /** By id: which file is meant by such a path, whatever it leads to when it is opened again. */
  readonly known: ReadonlyMap<string, Identity>;
  /** To be called once it is mounted, or will not be: until then, what was found is open, and is what is known. */
  readonly close: () => void;
  /**
   * To be called once it is mounted: waits until the disk has what was written.
   *
   * @param isWaiting without that only for what the kernel has written by itself, as it does within half a minute
   */
  readonly makeDurable: (isWaiting: boolean) => Promise<void>;
}

/**
 * Makes an image of whatever people have. Plain tars stay where they are, also within archives; compressed ones are
 * written once, into the cache, as are bootstraps; what is there already is taken as it is.
 *
 * @throws UsageError, OperationalError, FormatError; nothing half-made is left behind
 */
export async function prepareImage(sources: Sources): Promise<PreparedImage> {
  const opened = new Opened();
  try {
    return await prepared(sources, opened);
  } catch (error) {
    opened.close();
    const said = error instanceof OperationalError ? error.message : "";
    if (!said.startsWith(join(sources.cacheDir)) || !FULL.test(said)) throw error;
    throw new OperationalError(`${said}: ${MAKE_ROOM}; ${CACHE_ADVICE}`, { cause: error });
  }
}

/** How much a pipe brings is known when the cache is full. */
const FULL = /: (ENOSPC|EDQUOT): /;

async function prepared(sources: Sources, opened: Opened): Promise<PreparedImage> {
  const { paths, report, strictXattrs = false, maxLayerSize, warn, blobDirs, mountpoint } = sources;
  let made: PrepareContext | undefined; // no cache is made for an image that is mounted as it is
  const prepare = () => {
    made ??= { cache: new Cache(sources.cacheDir), report, strictXattrs, maxLayerSize, warn };
    return made;
  };
  const found = await sourcesOf(paths, { prepare, warn, opened, blobDirs, mountpoint });
  const image = found.find((source) => source.kind === "image");
  mustMean(sources, found);
  if (image !== undefined) {
    if (paths.length > 1) throw new UsageError(`${image.path}: an image is mounted alone, not with others`);
    if (sources.strictXattrs)
      throw new UsageError(`--strict-xattrs has no meaning for ${image.path}: an image is mounted as it is`);
    const none = { blobDirs: [], blobs: [], known: new Map() };
    return { bootstrap: image.path, ...none, close: () => opened.close(), makeDurable: async () => {} };
  }
  const layers: ImageLayer[] = [];
  for (const source of found) layers.push(...(await layersOf(source, sources)));
  if (layers.length === 0) layers.push(emptyLayer(prepare().cache));
  const built = await prepareLayers(layers, prepare());
  return { ...imageOf(built, prepare()), close: () => opened.close() };
}

/** An option that has no meaning for what there is was a mistake. @throws OperationalError */
function mustMean({ ref, platform, paths, blobOptions = [] }: Sources, found: readonly Source[]): void {
  const has = (kind: Source["kind"]) => found.some((source) => source.kind === kind);
  const choosing = [ref !== undefined ? "--ref" : "", platform !== undefined ? "--platform" : ""];
  const [chosen] = choosing.filter(Boolean);
  const what = paths.join(", ");
  if (chosen !== undefined && !has("images"))
    throw new OperationalError(`${chosen} has no meaning for ${what}: no OCI layout, no archive of images`);
  const isLayout = found.some((source) => source.kind === "images" && source.isDirectory);
  const idle = has("image") ? undefined : blobOptions.find((option) => option === "--blob" || !isLayout);
  if (idle !== undefined)
    throw new OperationalError(
      `${idle} has no meaning for ${what}: it says where the tars of a bootstrap are`,
    );
}

async function layersOf(source: Source, choice: Sources): Promise<readonly ImageLayer[]> {
  if (source.kind === "layer") return [{ file: source.file, diffId: undefined }];
  return source.kind === "image" ? [] : (await import("./images-of.ts")).imageLayersOf(source, choice);
}

/** Lays layers over one another. Tars that are parts of an archive are found in that: it is the blob of all of them. */
function imageOf(
  built: readonly BuiltLayer[],
  { cache, warn }: PrepareContext,
): Omit<PreparedImage, "close"> {
  const archives = archivesOf(built);
  const layers = built.map(({ file, known }) => {
    const { path, part } = file;
    const to = archives.get(path);
    const isMoved = to !== undefined && part !== undefined && known.kind === "plain";
    const moved: MovedBlob | undefined = isMoved ? { from: known.id, to, at: part.at } : undefined;
    return { file, known, moved };
  });
  const keys = layers.map(({ known: { id }, moved }) => (moved ? `${id} ${moved.to.id} ${moved.at}` : id));
  const [first, ...others] = layers;
  const isLayer = others.length === 0 && first?.known.isImage === true && first.moved === undefined;
  const bootstrap = isLayer ? cache.layer(first.known.id) : cache.image(keys);
  if (!existsSync(bootstrap)) {
    cache.mustTake(0);
    mergeImages({
      layers: layers.map(({ known }) => cache.layer(known.id)),
      moved: layers.map(({ moved }) => moved),
      bootstrap,
      blobDir: undefined,
      prefetch: [],
      isContent: true,
      whiteouts: "oci",
      warn,
    });
  }
  cache.use([bootstrap]);
  const used = blobIds(bootstrap);
  const tars = new Map<string, Tar>();
  for (const { file, known, moved } of layers) {
    const id = moved?.to.id ?? known.id;
    const there = tars.get(id);
    // Of two that have the same bytes, one that nobody else may write to is the better.
    if (used.has(id) && (there === undefined || there.isOthers)) tars.set(id, tarOf(file, known, cache));
  }
  const written = new Set(layers.flatMap(({ file, known }) => [known.id, cache.idOf(file.path) ?? known.id]));
  return {
    bootstrap,
    blobDirs: [cache.blobs],
    blobs: [...tars].map(([id, { path }]) => [id, path]),
    known: new Map([...tars].flatMap(([id, { identity }]) => (identity ? [[id, identity]] : []))),
    makeDurable: (isWaiting) => cache.makeDurable(written, isWaiting ? 0 : WRITTEN_BACK_MS),
  };
}

/** The tar of a layer, and whether others may write to it. */
interface Tar {
  readonly path: string;
  /** undefined: of the cache, where a name says what is in it. */
  readonly identity: Identity | undefined;
  readonly isOthers: boolean;
}

function tarOf({ fd, path }: LayerFile, { id, kind }: KnownFile, cache: Cache): Tar {
  if (kind === "compressed") return { path: cache.blob(id), identity: undefined, isOthers: false };
  if (fd === undefined) return { path, identity: undefined, isOthers: false };
  const stats = fstatSync(fd);
  return { path, identity: identityOf(stats), isOthers: strangerOf(stats) !== undefined };
}

/**
 * Archives with plain tars in them, as blobs by path. Hashing one whole would read everything twice: where its layers
 * lie, and how long it is, says as much.
 */
function archivesOf(layers: readonly BuiltLayer[]): Map<string, { id: string; size: number }> {
  const parts = new Map<string, string[]>();
  const sizes = new Map<string, number>();
  for (const { file, known } of layers) {
    const { path, part } = file;
    if (part === undefined || known.kind !== "plain") continue;
    parts.set(path, [...(parts.get(path) ?? []), `${part.at} ${known.id}`]);
    sizes.set(path, statsOf(file)?.size ?? 0);
  }
  return new Map(
    [...parts].map(([path, lines]) => {
      const size = sizes.get(path) ?? 0;
      // Its length, too: another archive may begin with the same layers at the same places.
      const id = createHash("sha256")
        .update([...lines, size].join("\n"))
        .digest("hex");
      // An id of 64 digits would be taken for the sha256 of a file.
      return [path, { id: `archive-${id.slice(0, 56)}`, size }];
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
