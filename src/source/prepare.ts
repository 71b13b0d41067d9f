import { join } from "node:path";
import { OperationalError, UsageError } from "../bytes/errors.ts";
import type { Report } from "../mkfs/report.ts";
import type { Identity } from "../safe-open/identity.ts";
import { CACHE_ADVICE, Cache, MAKE_ROOM } from "./cache.ts";
import type { LayerStep } from "./documents.ts";
import { type Source, sourcesOf } from "./kind.ts";
import type { PrepareContext } from "./layers.ts";
import { Opened } from "./opened.ts";
import type { WantedPlatform } from "./platform.ts";

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
  /** Told of options that have no meaning for these, which is an error where nobody is told. */
  readonly onIdle?: ((option: IdleOption) => void) | undefined;
}

/** An option that was given and has no meaning for what there is. */
export interface IdleOption {
  readonly option: string;
  /** What is wrong with it. @param what it was given for */
  readonly problemWith: (what: string) => string;
}

/** A layer by itself. */
export interface PreparedLayer {
  /** sha256 of its tar. */
  readonly id: string;
  readonly bootstrap: string;
  /** Its tar: a file from byte `at` on. Open until the image is closed where `fd` is there. */
  readonly tar: {
    readonly path: string;
    readonly at: number;
    readonly fd?: number | undefined;
    /** Which file that is, where it is nothing but this tar. */
    readonly identity?: Identity | undefined;
  };
  /** Blob with what the tar cannot show. */
  readonly side: { readonly id: string; readonly path: string } | undefined;
  readonly made: LayerStep | undefined;
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
  /** The lowest first; undefined for an image that was taken as it is, which does not say. */
  readonly layers: readonly PreparedLayer[] | undefined;
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
    const none = { blobDirs: [], blobs: [], known: new Map(), layers: undefined };
    return { bootstrap: image.path, ...none, close: () => opened.close(), makeDurable: async () => {} };
  }
  const { imageOfLayers } = await import("./image-of-layers.ts"); // and with it all that builds
  return { ...(await imageOfLayers(found, sources, prepare())), close: () => opened.close() };
}

/** An option that has no meaning for what there is was a mistake. @throws OperationalError when nobody else is told */
function mustMean(sources: Sources, found: readonly Source[]): void {
  const refuse = ({ problemWith }: IdleOption) => {
    throw new OperationalError(problemWith(sources.paths.join(", ")));
  };
  for (const idle of idleOptions(sources, found)) (sources.onIdle ?? refuse)(idle);
}

function idleOptions(
  { ref, platform, blobOptions = [] }: Sources,
  found: readonly Source[],
): readonly IdleOption[] {
  const has = (kind: Source["kind"]) => found.some((source) => source.kind === kind);
  const choosing = [ref === undefined ? "" : "--ref", platform === undefined ? "" : "--platform"];
  const chosen = has("images") ? [] : choosing.filter(Boolean);
  const isLayout = found.some((source) => source.kind === "images" && source.isDirectory);
  const idle = has("image") ? [] : blobOptions.filter((option) => option === "--blob" || !isLayout);
  return [
    ...chosen.map((option) => ({
      option,
      problemWith: (what: string) =>
        `${option} has no meaning for ${what}: no OCI layout, no archive of images`,
    })),
    ...idle.map((option) => ({
      option,
      problemWith: (what: string) =>
        `${option} has no meaning for ${what}: it says where the tars of a bootstrap are`,
    })),
  ];
}
