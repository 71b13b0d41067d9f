import type { Readable } from "node:stream";
import { whileDeaf } from "../atomic-file/clean-up.ts";
import { syncDirectory } from "../atomic-file/replace-file.ts";
import type { TarEntry } from "../tar/entry.ts";
import type { LayerFile } from "../tar/layer-file.ts";
import {
  type BuildOptions,
  type BuildResult,
  type Draft,
  draftBootstrap,
  finishBootstrap,
  placeBootstrap,
  planBootstrap,
} from "./bootstrap.ts";
import type { XattrRules } from "./kept-xattrs.ts";
import type { BlobLocation } from "./layer-image.ts";
import { type LayerTar, openTar } from "./layer-tar.ts";
import { mustBeNoArchive } from "./no-tar.ts";
import { EntryList } from "./entry-list.ts";
import { TarTree } from "./from-tar.ts";
import type { Blob } from "./plan.ts";
import type { LayerChange } from "./read-changes.ts";
import { TarIndexer } from "./tar-indexer.ts";
import type { SideBlob } from "./side-blob.ts";
import { hasMarkers } from "./whiteout.ts";
import { type StoredSideBlob, storeSideBlob } from "./write-side-blob.ts";

/** A layer, and what its image is made like. */
export interface LayerRequest extends Omit<BuildOptions, "bootstrap" | "isContent">, XattrRules {
  /** The layer, compressed or not. */
  readonly layer: LayerFile;
  /** What "-" reads; undefined: standard input. */
  readonly stdin?: (() => Readable) | undefined;
  /** An image's digests say that it is meant as it is: it may be empty, or look like an archive of images. */
  readonly isOfImage?: boolean;
  /** undefined: the sha256 of the tar. */
  readonly blobId: string | undefined;
  /** Whether a plain tar is put into the blob directory. */
  readonly blobLink: "hard" | "none";
  /** That was said: a layer for which it means nothing is told. */
  readonly isLinkAsked?: boolean;
  /** Bytes that a layer which comes compressed or through a pipe may become. */
  readonly maxLayerSize?: number | undefined;
  /** Read on after the end marker. */
  readonly ignoreZeros: boolean;
  /** The end of the names of tars that are written, which are not on disk then; without it they are. */
  readonly unsynced?: string | undefined;
  /** One cell, told how many bytes of the layer are done; threads may share it. */
  readonly done?: Float64Array | undefined;
}

export type CreateRequest = LayerRequest & BuildOptions;

/** What building a layer found out. */
interface LayerFacts {
  /** Bytes of its tar. */
  readonly blobSize: number;
  /** The layer's blob id, also when no file needs its blob. */
  readonly id: string;
  /** The side blob, when the layer has sparse files whose map needs one: as needed as the tar. */
  readonly sideId: string | undefined;
  /** It has whiteouts, or hard links to what it has not: laid over nothing, it looks different. */
  readonly hasMarkers: boolean;
  /** Every extended attribute of the layer is in it. */
  readonly hasAllXattrs: boolean;
  /** The layer is its own tar; else the tar was written to the blob directory. */
  readonly isPlain: boolean;
}

/** An image of one layer, in a file. */
export type CreateResult = LayerFacts & BuildResult;

/** An image of one layer, in memory. */
export interface LayerImage extends LayerFacts {
  readonly image: Uint8Array;
}

/** A layer to be laid over others, without an image of it. */
export interface LayerChanges {
  /** Its tar, and its side blob. */
  readonly blobs: readonly Blob[];
  /** @param places what has become of these blobs */
  readonly changes: (places: readonly BlobLocation[]) => Iterable<LayerChange>;
}

/**
 * Builds the bootstrap of one layer. Of a seekable tar only headers are read; what comes compressed or through a
 * pipe is written, uncompressed, into the blob directory while it is indexed.
 *
 * @throws FormatError naming entry and offset, OperationalError, or a system error; nothing is left behind then
 */
export function createImage(request: CreateRequest): Promise<CreateResult> {
  return buildImage(
    request,
    false,
    (draft) => (placeBlobs) =>
      placeBootstrap(request, draft, () => {
        placeBlobs();
        if (request.blobDir !== undefined) syncDirectory(request.blobDir);
      }),
  );
}

/**
 * Builds the image of one layer without a file for it: a layer of a few kilobytes costs less than that.
 *
 * @returns the image; names in the blob directory are not on disk yet
 * @throws as `createImage`
 */
export function createLayerImage(request: LayerRequest): Promise<LayerImage> {
  return buildImage(request, true, (draft) => (placeBlobs) => {
    const image = finishBootstrap(request, draft);
    placeBlobs();
    return { image };
  });
}

/**
 * Reads a layer that is to be laid over others in this process, and makes no image of it.
 *
 * @returns its changes; names in the blob directory are not on disk yet
 * @throws as `createImage`
 */
export function readLayer(request: LayerRequest): Promise<LayerChanges> {
  const warn = warnOf(request);
  const entries = new EntryList(request.layer.name, { ...request, warn });
  return buildLayer(request, warn, entries, ({ blobs }) => (placeBlobs) => {
    placeBlobs();
    return { blobs, changes: (places) => entries.changes(places) };
  });
}

async function buildImage<T>(
  request: LayerRequest,
  mayBeAbove: boolean,
  form: (draft: Draft) => (placeBlobs: () => void) => T,
): Promise<T & LayerFacts> {
  const { name } = request.layer;
  const warn = warnOf(request);
  const made = new TarTree(name, { ...request, warn });
  const { tree, side, xattrs } = made;
  const entries: LayerEntries = {
    side,
    add: (entry) => made.add(entry),
    finish: () => made.finish(mayBeAbove, request.isRepeatable),
  };
  return buildLayer(request, warn, entries, ({ tar, blobs, busy }) => {
    const place = form(busy(() => draftBootstrap(request, planBootstrap(request, tree, blobs, name))));
    const [blob, sideBlob] = blobs;
    return (placeBlobs) => ({
      ...place(placeBlobs),
      blobSize: blob.size,
      id: blob.id,
      sideId: sideBlob?.id,
      hasMarkers: hasMarkers(tree) || tree.hasLost,
      hasAllXattrs: xattrs.leftOut === 0,
      isPlain: tar.isPlain,
    });
  });
}

const warnOf =
  ({ warn, layer: { name } }: LayerRequest) =>
  (message: string): void =>
    warn(`${name}: ${message}`);

/** What takes the entries of a layer. */
interface LayerEntries {
  readonly side: SideBlob | undefined;
  add(entry: TarEntry): void;
  finish(): void;
}

/** A layer that was read, before it has a form. */
interface ReadTar {
  readonly tar: LayerTar;
  /** Its tar, whose id comes last, and its side blob. */
  readonly blobs: readonly [Blob, ...Blob[]];
  /** What takes long is done by this. */
  readonly busy: <R>(work: () => R) => R;
}

async function buildLayer<T>(
  request: LayerRequest,
  warn: (message: string) => void,
  entries: LayerEntries,
  form: (layer: ReadTar) => (placeBlobs: () => void) => T,
): Promise<T> {
  const tar = await openTar(request);
  let side: StoredSideBlob | undefined;
  try {
    const index = new TarIndexer(request, tar, warn, (entry) => entries.add(entry));
    const size = await tar.whole((soFar) => index.readOn(soFar));
    await index.readWhole(size);
    if (!request.isOfImage) mustBeNoArchive(tar.fd, index.members, request.layer.name);
    const busy = index.isLong ? whileDeaf : <R>(work: () => R): R => work();
    busy(() => entries.finish());
    if (entries.side !== undefined) side = await storeSideBlob(entries.side, tar, request);
    // The bootstrap is planned and written while the end of the tar may still be hashed.
    const blob = { id: "", size };
    const place = form({ tar, blobs: side === undefined ? [blob] : [blob, side.blob], busy });
    blob.id = await tar.id();
    return place(() => {
      side?.place();
      tar.place(blob.id);
    });
  } finally {
    side?.discard();
    await tar.close();
  }
}
