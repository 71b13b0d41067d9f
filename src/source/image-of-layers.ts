import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync } from "node:fs";
import { readTables } from "../erofs/open.ts";
import { type MovedBlob, mergeImages } from "../mkfs/merge.ts";
import { type Identity, identityOf } from "../safe-open/identity.ts";
import { strangerOf } from "../safe-open/strangers.ts";
import { type LayerFile, statsOf } from "../tar/layer-file.ts";
import type { Cache, KnownFile } from "./cache.ts";
import type { ImageLayer } from "./documents.ts";
import { emptyLayer } from "./empty-layer.ts";
import type { Source } from "./kind.ts";
import { type BuiltLayer, type PrepareContext, prepareLayers } from "./layers.ts";
import type { PreparedImage, PreparedLayer, Sources } from "./prepare.ts";

const WRITTEN_BACK_MS = 60_000;

/**
 * Makes an image of all layers of the sources, lowest first.
 *
 * @throws OperationalError, FormatError; nothing half-made is left behind
 */
export async function imageOfLayers(
  found: readonly Source[],
  sources: Sources,
  context: PrepareContext,
): Promise<Omit<PreparedImage, "close">> {
  const layers: ImageLayer[] = [];
  for (const source of found) layers.push(...(await layersOf(source, sources)));
  if (layers.length === 0) layers.push(emptyLayer(context.cache));
  return imageOf(await prepareLayers(layers, context), context);
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
    layers: built.map((layer) => preparedLayer(layer, cache)),
    blobDirs: [cache.blobs],
    blobs: [...tars].map(([id, { path }]) => [id, path]),
    known: new Map([...tars].flatMap(([id, { identity }]) => (identity ? [[id, identity]] : []))),
    makeDurable: (isWaiting) => cache.makeDurable(written, isWaiting ? 0 : WRITTEN_BACK_MS),
  };
}

function preparedLayer({ file, known, made }: BuiltLayer, cache: Cache): PreparedLayer {
  const { id, kind, side } = known;
  const { path, part, fd } = file;
  const identity = fd === undefined || part !== undefined ? undefined : identityOf(fstatSync(fd));
  return {
    ...{ id, made, bootstrap: cache.layer(id) },
    tar: kind === "compressed" ? { path: cache.blob(id), at: 0 } : { path, at: part?.at ?? 0, fd, identity },
    side: side === undefined ? undefined : { id: side, path: cache.blob(side) },
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
