import { closeSync, existsSync, fstatSync, openSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createImage } from "../build/create.ts";
import { mergeImages } from "../build/merge.ts";
import { StartError } from "../bytes/errors.ts";
import { putContent } from "../disk/atomic-file.ts";
import { readTables } from "../erofs/open.ts";
import { Cache, type Known } from "./cache.ts";
import { kindOf } from "./kind.ts";

const CHUNK_SIZE = 0x10_0000;

export interface Sources {
  /** A bootstrap or image; or layers, the lowest first; or OCI image layouts, whose layers count as given here. */
  readonly paths: readonly string[];
  readonly cacheDir: string;
  readonly ref?: string | undefined;
  readonly platform?: string | undefined;
  readonly warn: (message: string) => void;
}

/** An image that can be mounted, and where its tars are. */
export interface Prepared {
  readonly bootstrap: string;
  /** Directories to look in; none: nothing is known. */
  readonly blobDirs: readonly string[];
  /** Files by blob id. */
  readonly blobs: readonly (readonly [id: string, path: string])[];
}

interface Layer {
  readonly path: string;
  /** sha256 that the tar must have. */
  readonly diffId: string | undefined;
}

/**
 * Makes an image of whatever people have. Plain tars stay where they are; compressed ones are written once, into the
 * cache, as are bootstraps; what is there already is taken as it is.
 *
 * @throws StartError, FormatError; nothing half-made is left behind
 */
export async function prepareImage(sources: Sources): Promise<Prepared> {
  const { paths } = sources;
  const kinds = paths.map(kindOf);
  if (kinds.includes("image")) {
    if (paths.length > 1)
      throw new StartError(`${paths[kinds.indexOf("image")]}: an image is mounted alone, not with others`);
    return { bootstrap: paths[0], blobDirs: [], blobs: [] };
  }
  const layers: Layer[] = [];
  for (let i = 0; i < paths.length; i++)
    layers.push(...(await layersOf(paths[i], kinds[i] === "oci-layout", sources)));
  if (layers.length === 0) throw new StartError(`${paths.join(", ")}: an image without layers`);
  const cache = new Cache(sources.cacheDir);
  const known = await inParallel(layers, (layer) => prepareLayer(layer, cache, sources.warn));
  const ids = known.map(({ id }) => id);
  const bootstrap = cache.image(ids);
  if (!existsSync(bootstrap))
    mergeImages({
      layers: ids.map((id) => cache.layer(id)),
      bootstrap,
      blobDir: undefined,
      prefetch: [],
      isContent: true,
      whiteouts: "oci",
    });
  const used = blobIds(bootstrap);
  const plain = layers
    .map(({ path }, i) => [ids[i], path] as const)
    .filter(([id], i) => known[i].isPlain && used.has(id));
  return { bootstrap, blobDirs: [cache.blobs], blobs: [...new Map(plain)] };
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

async function layersOf(path: string, isLayout: boolean, { ref, platform }: Sources): Promise<Layer[]> {
  if (!isLayout) return [{ path, diffId: undefined }];
  const { ociLayers } = await import("./oci-layout.ts"); // its schema library costs 90 ms
  return ociLayers(path, { ref, platform });
}

/** Puts the bootstrap of a layer into the cache if it is not there. */
async function prepareLayer(
  { path, diffId }: Layer,
  cache: Cache,
  warn: (m: string) => void,
): Promise<Known> {
  const known = cache.find(path);
  if (known !== undefined) {
    mustBe(path, known.id, diffId);
    return known;
  }
  const temporary = cache.temporary();
  try {
    const made = await createImage({
      layer: path,
      bootstrap: temporary,
      blobDir: cache.blobs,
      blobId: undefined,
      blobLink: "none",
      chunkSize: CHUNK_SIZE,
      isRepeatable: false,
      ignoreZeros: false,
      prefetch: [],
      warn,
    });
    mustBe(path, made.id, diffId);
    putContent(temporary, cache.layer(made.id));
    cache.remember(path, made);
    return made;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function mustBe(path: string, found: string, wanted: string | undefined): void {
  if (wanted !== undefined && found !== wanted)
    throw new StartError(`${path}: the sha256 of its tar is ${found}, the image's config wants ${wanted}`);
}

/** As many at a time as there are CPUs; the first failure is thrown when all that had begun have ended. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const run = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await work(items[i]);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: availableParallelism() }, run));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return results;
}
