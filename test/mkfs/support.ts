import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BuildResult } from "../../src/mkfs/bootstrap.ts";
import { type CreateResult, type CreateRequest, createImage } from "../../src/mkfs/create.ts";
import { type MergeRequest, mergeImages } from "../../src/mkfs/merge.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import { type Expected, placesOf, scratchDir, serve, tree } from "../support/image.ts";
import { type Made, tarOf } from "./emit.ts";

/** Builds a layer's bootstrap beside nothing else. Its id is given: the thread that hashes needs compiled code. */
export async function build(
  layer: string,
  more: Partial<Omit<CreateRequest, "layer">> = {},
): Promise<CreateResult & { warnings: string[] }> {
  const warnings: string[] = [];
  const built = await createImage({
    layer: wholeFile(layer),
    bootstrap: join(scratchDir(), "image.boot"),
    blobDir: undefined,
    blobId: more.blobId ?? createHash("sha256").update(readFileSync(layer)).digest("hex"),
    blobLink: "none",
    ignoreZeros: false,
    isRepeatable: false,
    chunkSize: 0x10_0000,
    prefetch: [],
    whiteouts: "oci",
    warn: (message) => warnings.push(message),
    ...more,
  });
  return { ...built, warnings };
}

export const merge = (layers: readonly string[], more: Partial<MergeRequest> = {}): BuildResult =>
  mergeImages({
    layers,
    bootstrap: join(scratchDir(), "merged.boot"),
    blobDir: undefined,
    prefetch: [],
    whiteouts: "oci",
    warn: () => {},
    ...more,
  });

/** What does not depend on where things lie in an image. */
export const withoutIno = (entries: readonly Expected[]): Omit<Expected, "ino">[] =>
  entries.map(({ ino, ...rest }) => rest);

export const dir = (name: string, more: Partial<Made> = {}): Made => ({ name, type: "5", ...more });
export const file = (name: string, data = name, more: Partial<Made> = {}): Made => ({ name, data, ...more });

/** What is in an image of these entries: path, mode, target and number of names. */
export const built = (entries: readonly Made[]): Promise<Record<string, string>> => builtOf(tarOf(entries));

export async function builtOf(tar: Uint8Array): Promise<Record<string, string>> {
  const path = join(scratchDir(), "layer.tar");
  writeFileSync(path, tar);
  const { bootstrap, blobs } = await build(path);
  const { fs } = serve(bootstrap, placesOf(blobs.map(() => path)));
  return Object.fromEntries(
    tree(fs).map((e) => [
      e.path ?? "",
      `${e.mode}${e.target === undefined ? "" : ` ${e.target}`}${e.nlink > 1 && !e.mode.startsWith("004") ? ` x${e.nlink}` : ""}`,
    ]),
  );
}
