import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Built, type Created, type CreateRequest, createImage } from "../../src/build/create.ts";
import { type MergeRequest, mergeImages } from "../../src/build/merge.ts";
import { wholeFile } from "../../src/tar/layer-file.ts";
import type { Expected } from "../support/image.ts";
import { scratchDir } from "../support/image.ts";

/** Builds a layer's bootstrap beside nothing else. Its id is given: the thread that hashes needs compiled code. */
export async function build(
  layer: string,
  more: Partial<Omit<CreateRequest, "layer">> = {},
): Promise<Created & { warnings: string[] }> {
  const warnings: string[] = [];
  const built = await createImage({
    layer: wholeFile(layer),
    bootstrap: join(scratchDir(), "image.boot"),
    blobDir: undefined,
    blobId: createHash("sha256").update(readFileSync(layer)).digest("hex"),
    blobLink: "none",
    ignoreZeros: false,
    isRepeatable: false,
    chunkSize: 0x10_0000,
    prefetch: [],
    warn: (message) => warnings.push(message),
    ...more,
  });
  return { ...built, warnings };
}

export const merge = (layers: readonly string[], more: Partial<MergeRequest> = {}): Built =>
  mergeImages({
    layers,
    bootstrap: join(scratchDir(), "merged.boot"),
    blobDir: undefined,
    prefetch: [],
    whiteouts: "oci",
    ...more,
  });

/** What does not depend on where things lie in an image. */
export const withoutIno = (entries: readonly Expected[]): Omit<Expected, "ino">[] =>
  entries.map(({ ino, ...rest }) => rest);
