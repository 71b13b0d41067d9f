import { createHash } from "node:crypto";
import { join } from "node:path";
import { SHA256 } from "../bytes/sha256.ts";
import { BUILDER_VERSION } from "../mkfs/builder-version.ts";

const SCHEME = "sha256:";
const BOOTSTRAP = `.v${BUILDER_VERSION}.boot`;
const MERGED = ".boot";

/** Where things lie in a store, and how they are named. */
export class StorePlaces {
  readonly root: string;
  /** Tars, and side blobs: by their sha256. */
  readonly blobs: string;
  /** Bootstraps of layers, by the sha256 of the tar and the version of the builder. */
  readonly boots: string;
  /** Bootstraps of layers laid over one another, by key. */
  readonly merged: string;
  /** What is being made, a directory each; and what is going away. */
  readonly staging: string;

  constructor(root: string) {
    this.root = root;
    this.blobs = join(root, "blobs");
    this.boots = join(root, "boots");
    this.merged = join(root, "merged");
    this.staging = join(root, "staging");
  }

  /** @param id 64 digits */
  tar(id: string): string {
    return join(this.blobs, id);
  }

  bootstrap(id: string): string {
    return join(this.boots, id + BOOTSTRAP);
  }

  mergedBootstrap(key: string): string {
    return join(this.merged, key + MERGED);
  }
}

/** The layer whose bootstrap has this name; undefined for what this version of the builder has not made. */
export const idOfBootstrap = (name: string): string | undefined => stem(name, BOOTSTRAP);

/** The key of a merged bootstrap of this name. */
export const keyOfMerged = (name: string): string | undefined => stem(name, MERGED);

/** @returns undefined for what is no diffID */
export const idOfDiff = (diffId: string): string | undefined =>
  diffId.startsWith(SCHEME) && SHA256.test(diffId.slice(SCHEME.length))
    ? diffId.slice(SCHEME.length)
    : undefined;

export const diffOfId = (id: string): string => SCHEME + id;

/** @param diffIds the lowest layer first */
export const keyOf = (diffIds: readonly string[]): string =>
  createHash("sha256")
    .update([...diffIds, BOOTSTRAP].join("\n"))
    .digest("hex");

function stem(name: string, end: string): string | undefined {
  const found = name.endsWith(end) ? name.slice(0, -end.length) : "";
  return SHA256.test(found) ? found : undefined;
}
