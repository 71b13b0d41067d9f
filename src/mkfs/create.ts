import { createHash } from "node:crypto";
import { join } from "node:path";
import { StartError } from "../bytes/errors.ts";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import type { LayerFile } from "../tar/layer-file.ts";
import { indexLayer } from "./index-layer.ts";
import { NewBlobs } from "./new-blobs.ts";
import { type Blob, type Plan, planImage } from "./plan.ts";
import { prefetchNodes } from "./prefetch.ts";
import type { Tree } from "./tree.ts";
import { hasMarkers } from "./whiteout.ts";
import { writeInodes, writeTables } from "./write.ts";

/** What a bootstrap is made like. */
export interface BuildOptions {
  /** Where it goes; undefined: into the blob directory, named by its sha256. */
  readonly bootstrap: string | undefined;
  readonly blobDir: string | undefined;
  /** Bytes, a power of two. */
  readonly chunkSize: number;
  /** Leave owners out. */
  readonly isRepeatable: boolean;
  /** Absolute paths to be read ahead. */
  readonly prefetch: readonly Uint8Array[];
  /** Declare blobs that nothing refers to, too, behind the others. */
  readonly keepsBlobs?: boolean;
  /** The bootstrap's path says what is in it: one that is there is as good. */
  readonly isContent?: boolean;
}

export interface CreateRequest extends BuildOptions {
  /** The layer, compressed or not. */
  readonly layer: LayerFile;
  /** undefined: the sha256 of the tar. */
  readonly blobId: string | undefined;
  /** Whether a plain tar is put into the blob directory. */
  readonly blobLink: "hard" | "none";
  /** Read on after the end marker. */
  readonly ignoreZeros: boolean;
  readonly warn: (message: string) => void;
  /** The end of the names of tars that are written, which are not on disk then; without it they are. */
  readonly unsynced?: string | undefined;
  /** One cell, told how many bytes of the layer are done; threads may share it. */
  readonly done?: Float64Array | undefined;
}

export interface Built {
  /** Path of the bootstrap. */
  readonly bootstrap: string;
  /** Ids, in the order of the device table. */
  readonly blobs: readonly string[];
  /** Bytes of the tar; of all blobs after a merge. A side blob is not counted in the image of one layer. */
  readonly blobSize: number;
}

/** An image of one layer. */
export interface Created extends Built {
  /** The layer's blob id, also when no file needs its blob. */
  readonly id: string;
  /** The side blob, when the layer has sparse files whose map needs one: as needed as the tar. */
  readonly sideId: string | undefined;
  /** It has whiteouts: laid over nothing, it looks different. */
  readonly hasMarkers: boolean;
  /** The layer is its own tar; else the tar was written to the blob directory. */
  readonly isPlain: boolean;
}

/**
 * Builds the bootstrap of one layer. Of a seekable tar only headers are read; what comes compressed or through a
 * pipe is written, uncompressed, into the blob directory while it is indexed.
 *
 * @throws FormatError naming entry and offset, StartError, or a system error; nothing is left behind then
 */
export async function createImage(request: CreateRequest): Promise<Created> {
  const made = new NewBlobs();
  try {
    const draft = (tree: Tree, blobs: readonly Blob[]) => draftImage(request, tree, blobs);
    const { draft: drafted, blob, side, isPlain } = await indexLayer(request, made, draft);
    const built = placeImage(request, drafted, () => made.place());
    const has = hasMarkers(drafted.plan.tree);
    return { ...built, blobSize: blob.size, id: blob.id, sideId: side?.id, hasMarkers: has, isPlain };
  } finally {
    made.discard();
  }
}

/** An image that lacks only the ids of its blobs. */
export interface Draft {
  readonly plan: Plan;
  readonly image: Uint8Array;
}

/** Plans and writes the bootstrap of a tree whose files lie in `blobs`. */
export function draftImage(options: BuildOptions, tree: Tree, blobs: readonly Blob[]): Draft {
  const prefetch = prefetchNodes(tree, options.prefetch);
  const plan = planImage(tree, blobs, options.chunkSize, prefetch, options.keepsBlobs);
  return { plan, image: writeInodes(plan, options) };
}

/**
 * Places a bootstrap; its blobs have their ids by now.
 *
 * @param placeBlobs gives blobs their names, when the bootstrap is all written and has none yet
 */
export function placeImage(
  options: BuildOptions,
  { plan, image }: Draft,
  placeBlobs: () => void = () => {},
): Built {
  writeTables(plan, image, options);
  const path = options.bootstrap ?? join(mustHave(options.blobDir), sha256(image));
  const file = new AtomicFile(path);
  try {
    file.write(image);
    placeBlobs();
    file.commit(path, options.bootstrap === undefined || options.isContent);
  } finally {
    file.discard();
  }
  return {
    bootstrap: path,
    blobs: plan.blobs.map(({ id }) => id),
    blobSize: plan.allBlobs.reduce((sum, { size }) => sum + size, 0),
  };
}

function mustHave(dir: string | undefined): string {
  if (dir === undefined)
    throw new StartError("neither --bootstrap nor --blob-dir says where the bootstrap goes");
  return dir;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
