import { createHash } from "node:crypto";
import { join } from "node:path";
import { AtomicFile } from "../atomic-file/atomic-file.ts";
import { OperationalError } from "../bytes/errors.ts";
import { type Blob, type Plan, planImage } from "./plan.ts";
import { prefetchNodes } from "./prefetch.ts";
import type { Tree } from "./tree.ts";
import { type Style, writeInodes, writeTables } from "./write.ts";

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

export interface BuildResult {
  /** Path of the bootstrap. */
  readonly bootstrap: string;
  /** Ids, in the order of the device table. */
  readonly blobs: readonly string[];
  /** Bytes of the tar; of all blobs after a merge. A side blob is not counted in the image of one layer. */
  readonly blobSize: number;
}

/** A bootstrap that lacks only the ids of its blobs. */
export interface Draft {
  readonly plan: Plan;
  readonly image: Uint8Array;
}

/**
 * Plans the bootstrap of a tree whose files lie in `blobs`.
 *
 * @param named what it is of, for messages
 */
export function planBootstrap(
  options: Omit<BuildOptions, "bootstrap">,
  tree: Tree,
  blobs: readonly Blob[],
  named: string,
): Plan {
  const prefetch = prefetchNodes(tree, options.prefetch);
  return planImage(tree, blobs, options.chunkSize, prefetch, named, options.keepsBlobs);
}

/** Writes it, but for what needs the ids. */
export const draftBootstrap = (options: Style, plan: Plan): Draft => ({
  plan,
  image: writeInodes(plan, options),
});

/** Writes what depends on the ids of blobs. @returns the whole image */
export function finishBootstrap(style: Style, { plan, image }: Draft): Uint8Array {
  writeTables(plan, image, style);
  return image;
}

/**
 * Places a bootstrap; its blobs have their ids by now.
 *
 * @param placeBlobs gives blobs their names, when the bootstrap is all written and has none yet
 */
export function placeBootstrap(
  options: BuildOptions,
  draft: Draft,
  placeBlobs: () => void = () => {},
): BuildResult {
  const { plan } = draft;
  const image = finishBootstrap(options, draft);
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
    throw new OperationalError("neither --bootstrap nor --blob-dir says where the bootstrap goes");
  return dir;
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
