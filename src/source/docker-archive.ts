import { z } from "zod";
import { OperationalError } from "../bytes/errors.ts";
import {
  type Documents,
  digestOf,
  documentBytes,
  imageLayers,
  parseDocument,
  readDocument,
} from "./documents.ts";
import { imageConfig, listOf } from "./image-documents.ts";
import type { ImageEntry, PlatformImage } from "./image-entry.ts";
import { normalizePlatform } from "./platform.ts";

const image = z.object({
  // biome-ignore-start lint/style/useNamingConvention: Docker's names
  Config: z.string(),
  RepoTags: listOf(z.string()),
  Layers: listOf(z.string()),
  // biome-ignore-end lint/style/useNamingConvention: Docker's names
});
const manifest = z.array(image);
type Image = z.infer<typeof image>;

/** What stands in the place of names: old versions of Docker wrote the first of an image that had lost its own. */
const NO_NAMES = ["<none>:<none>", ""];

/**
 * Images in what `docker save` wrote before it wrote OCI image layouts, and others still do.
 *
 * @throws OperationalError naming manifest.json and what is wrong with it. What is wrong with an image, choosing it says
 * @see https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format
 */
export function dockerImages(docs: Documents): ImageEntry[] {
  const entries = new Map<string, ImageEntry>();
  readDocument(docs, "manifest.json", manifest).forEach((one, position) => {
    const found = imageOf(docs, one);
    const [digest = one.Config] = found.digests;
    const known = entries.get(digest);
    entries.set(digest, {
      names: [
        ...new Set([...(known?.names ?? []), ...one.RepoTags.filter((name) => !NO_NAMES.includes(name))]),
      ],
      positions: [...(known?.positions ?? []), position],
      ...{ digest, tags: [], images: known?.images ?? [found], isIndex: false, isOfPlatform: false },
    });
  });
  return [...entries.values()];
}

/** The configuration's name is often its digest, but only a name: what it says of the layers has to hold. */
function imageOf(docs: Documents, { Config: name, Layers: layers }: Image): PlatformImage {
  const found = { digests: [] as string[], indexes: [], platform: normalizePlatform(undefined) };
  try {
    const bytes = documentBytes(docs, name);
    const said = parseDocument(docs.shownName(name), bytes, imageConfig);
    found.digests = [digestOf(bytes)];
    found.platform = normalizePlatform(said);
    return { ...found, layers: imageLayers(docs, name, said, layers, []) };
  } catch (error) {
    if (error instanceof OperationalError) return { ...found, layers: error };
    throw error;
  }
}
