import { createHash } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SHA256 } from "../bytes/sha256.ts";
import { BUILDER_VERSION } from "../mkfs/builder-version.ts";

const SCHEME = "sha256:";
const BOOTSTRAP = `.v${BUILDER_VERSION}.boot`;
const NAMED = /^([0-9a-f]{64})\.v(\d+)\.boot$/;

/** Where things lie in a store, and how they are named. */
export class StorePlaces {
  readonly root: string;
  /** Tars, and side blobs: by their sha256. */
  readonly blobs: string;
  /** Bootstraps of layers, by the sha256 of the tar and the version of the builder. */
  readonly boots: string;
  /** Bootstraps of layers laid over one another, by key and version. */
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
    return join(this.merged, key + BOOTSTRAP);
  }
}

/**
 * The bootstraps in a directory by what they are named after: of the builder's versions this one's, else the last. Others go.
 */
export function bestOf(dir: string): Map<string, string> {
  const best = new Map<string, { readonly name: string; readonly version: number }>();
  for (const name of readdirSync(dir)) {
    const [, id, digits] = NAMED.exec(name) ?? [];
    if (id === undefined) continue;
    const version = Number(digits) === BUILDER_VERSION ? Number.POSITIVE_INFINITY : Number(digits);
    const known = best.get(id);
    if (known !== undefined) rmSync(join(dir, known.version < version ? known.name : name));
    if (known === undefined || known.version < version) best.set(id, { name, version });
  }
  return new Map([...best].map(([id, { name }]) => [id, join(dir, name)]));
}

/** @returns undefined for what is no diffID */
export const idOfDiff = (diffId: string): string | undefined =>
  diffId.startsWith(SCHEME) && SHA256.test(diffId.slice(SCHEME.length))
    ? diffId.slice(SCHEME.length)
    : undefined;

export const diffOfId = (id: string): string => SCHEME + id;

/** @param diffIds the lowest layer first */
export const keyOf = (diffIds: readonly string[]): string =>
  createHash("sha256").update(diffIds.join("\n")).digest("hex");
