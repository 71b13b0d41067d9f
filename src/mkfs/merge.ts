import { closeSync, fstatSync, openSync } from "node:fs";
import { FormatError, OperationalError } from "../bytes/errors.ts";
import { Image } from "../erofs/image.ts";
import { checkTree, type ImageTables, readTables } from "../erofs/open.ts";
import { BLOB_SIZE, RAFS_AT, type Rafs } from "../erofs/rafs.ts";
import {
  type BuildOptions,
  type BuildResult,
  draftBootstrap,
  placeBootstrap,
  planBootstrap,
} from "./bootstrap.ts";
import { BLOCK } from "./chunk-map.ts";
import type { XattrRules } from "./kept-xattrs.ts";
import { LayerMerge } from "./layer-merge.ts";
import { MergeError } from "./merge-error.ts";
import { toOverlayForm } from "./overlay-form.ts";
import type { Blob } from "./plan.ts";
import type { LayerChanges } from "./create.ts";
import type { Tree } from "./tree.ts";
import type { LayerWitness } from "./witness.ts";
import { type ChangedBlob, ChangeReader } from "./read-changes.ts";

/** As nydus: device ids of 8 bits. */
const MAX_BLOBS = 254;
/** Of all layers, before those are left out that nothing refers to: the tree numbers them in 16 bits. */
const MAX_LAYER_BLOBS = 2 ** 16;

/** A blob that lies within a longer file: a tar in an archive of images. */
export interface MovedBlob {
  readonly from: string;
  readonly to: Blob;
  /** Where it begins there, bytes; a multiple of 512. */
  readonly at: number;
}

/** What is made of layers that are laid over one another. */
export interface StackRequest extends Omit<BuildOptions, "chunkSize" | "isRepeatable">, XattrRules {
  /** Of a single layer: its markers become what overlayfs has for them; `whiteouts` is "none". */
  readonly isForOverlay?: boolean;
}

export interface MergeRequest extends StackRequest {
  /** Paths of bootstraps, or images with names for messages; the lowest layer first. */
  readonly layers: readonly (string | NamedImage)[];
  /** By layer: its blob that lies elsewhere. */
  readonly moved?: readonly (MovedBlob | undefined)[];
}

interface NamedImage {
  readonly name: string;
  readonly image: Uint8Array;
}

/** A layer that was read in this process. */
interface NamedChanges extends Pick<LayerChanges, "blobs" | "changes"> {
  readonly name: string;
  readonly chunkSize: number;
  readonly isRepeatable: boolean;
}

interface Layer {
  readonly path: string;
  readonly chunkSize: number;
  readonly hasOwners: boolean;
  readonly blobs: readonly Blob[];
  /** @param places what has become of its blobs */
  readonly applyTo: (merged: LayerMerge, places: readonly ChangedBlob[]) => void;
}

/**
 * Lays bootstraps over one another and writes the one of the result; no tar is looked at.
 *
 * @throws MergeError when the layers do not fit together; FormatError, OperationalError
 */
export function mergeImages(request: MergeRequest): BuildResult {
  const stack = new LayerStack(request);
  for (const [i, layer] of request.layers.entries()) stack.add(layer, request.moved?.[i]);
  return stack.finish();
}

/**
 * Layers that are laid over one another as they come, so that none is kept. Blobs are numbered as a walk of the result meets
 * them; those that nothing refers to any more come last, in the order of layers, or are left out.
 */
export class LayerStack {
  private readonly request: StackRequest;
  private readonly merged: LayerMerge;
  private readonly blobs = new BlobNumbers();
  private first: Pick<Layer, "path" | "chunkSize" | "hasOwners"> | undefined;

  /** @param witness told what becomes of every name */
  constructor(request: StackRequest, witness?: LayerWitness) {
    this.request = request;
    this.merged = new LayerMerge(request, witness);
  }

  /** What the layers are together so far. */
  get tree(): Tree {
    return this.merged.tree;
  }

  /** By the tree's numbers of them. */
  get blobIds(): string[] {
    return this.blobs.all.map(({ id }) => id);
  }

  /**
   * @param layer the next above those that are there: the path of a bootstrap, an image, or what a tar says
   * @param moved its blob that lies elsewhere
   * @throws MergeError when it does not fit on what is there; FormatError, OperationalError
   */
  add(layer: string | NamedImage | NamedChanges, moved?: MovedBlob): void {
    const fds: number[] = [];
    try {
      this.lay(opened(layer, fds), moved);
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }

  private lay(
    { path, chunkSize, hasOwners, blobs: own, applyTo }: Layer,
    moved: MovedBlob | undefined,
  ): void {
    this.first ??= { path, chunkSize, hasOwners };
    const { first, blobs } = this;
    if (chunkSize !== first.chunkSize)
      throw new MergeError(
        `chunk size of ${path} is 0x${chunkSize.toString(16)}, of ${first.path} 0x${first.chunkSize.toString(16)}`,
      );
    if (hasOwners !== first.hasOwners)
      throw new MergeError(
        `one of ${first.path} and ${path} has owners, the other has none (nydus-image-ts create --repeatable)`,
      );
    const places = own.map((blob) =>
      blob.id === moved?.from
        ? { blob: blobs.of(moved.to), shift: moved.at, size: blob.size }
        : { blob: blobs.of(blob), shift: 0, size: blob.size },
    );
    applyTo(this.merged, places);
  }

  /** Writes the bootstrap of all that were added. @throws MergeError, OperationalError */
  finish(): BuildResult {
    const { request, merged, blobs, first } = this;
    if (first === undefined) throw new TypeError("no layer was added");
    merged.xattrs.report();
    if (request.isForOverlay) toOverlayForm(merged.tree);
    const { chunkSize, hasOwners } = first;
    const options = { ...request, chunkSize, isRepeatable: !hasOwners };
    const plan = planBootstrap(options, merged.tree, blobs.all, "merged image");
    const count = plan.blobs.length;
    if (count > MAX_BLOBS)
      throw new MergeError(
        `${count} blobs, want at most ${MAX_BLOBS}${request.keepsBlobs ? " (nydus-image-ts merge --drop-unreferenced)" : ""}`,
      );
    return placeBootstrap(options, draftBootstrap(options, plan));
  }
}

/** @param fds stay open until the last byte is read: changes are read when they are applied */
function opened(layer: string | NamedImage | NamedChanges, fds: number[]): Layer {
  if (typeof layer === "string") return openBootstrap(layer, fds);
  if ("image" in layer) return openLayer(layer.name, layer.image, layer.image.length);
  const { name: path, chunkSize, isRepeatable, blobs, changes } = layer;
  const applyTo: Layer["applyTo"] = (merged, places) => merged.applyChanges(changes(places), path);
  return { path, chunkSize, hasOwners: !isRepeatable, blobs, applyTo };
}

function openBootstrap(path: string, fds: number[]): Layer {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new OperationalError(`bootstrap ${path}: ${error instanceof Error ? error.message : error}`);
  }
  fds.push(fd);
  return openLayer(path, fd, fstatSync(fd).size);
}

function openLayer(path: string, bytes: number | Uint8Array, size: number): Layer {
  const tables = readTables(bytes, size, path);
  const { rafs, devices } = tables;
  if (rafs === undefined || !rafs.isTarfs)
    throw new FormatError("not a TARFS bootstrap: only those can be merged", { file: path, at: RAFS_AT });
  // The tars need not be here: what the device table promises has to do.
  const { handle } = checkTree(
    tables,
    devices.map(() => Number.POSITIVE_INFINITY),
    false,
    true,
  );
  const { chunkSize, hasOwners, changes } = rafs;
  const applyTo: Layer["applyTo"] = (merged, places) => {
    if (changes.length > 0) merged.applyChanges(new ChangeReader(tables, changes, places).all(), path);
    else merged.applyTree(new Image(handle), places);
  };
  return { path, chunkSize, hasOwners, blobs: blobsOf(tables, rafs), applyTo };
}

/** The size that the blob table states becomes the new device table's: it has to cover what the old one does. */
function blobsOf({ meta, devices }: ImageTables, { blobs, blobTable }: Rafs): Blob[] {
  return blobs.map(({ id, compressedSize: size }, i) => {
    const { blocks } = devices[i];
    if (!Number.isSafeInteger(size))
      throw new FormatError(`blob ${i} has ${size} bytes, want below 2^53`, {
        file: meta.file,
        at: blobTable.at + i * BLOB_SIZE,
      });
    if (Math.floor(size / BLOCK) < blocks)
      throw new FormatError(`blob ${i} has ${size} bytes, its device slot has ${blocks} blocks of ${BLOCK}`, {
        file: meta.file,
        at: blobTable.at + i * BLOB_SIZE,
      });
    return { id, size };
  });
}

/** Layers that share a tar share its number. */
class BlobNumbers {
  readonly all: Blob[] = [];
  private readonly known = new Map<string, number>();

  of(blob: Blob): number {
    const known = this.known.get(blob.id);
    if (known !== undefined) return known;
    if (this.all.length === MAX_LAYER_BLOBS)
      throw new MergeError(`layers with more than ${MAX_LAYER_BLOBS} blobs in all`);
    this.known.set(blob.id, this.all.length);
    return this.all.push(blob) - 1;
  }
}
