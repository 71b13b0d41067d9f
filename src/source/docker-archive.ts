import { z } from "zod";
import { OperationalError } from "../bytes/errors.ts";
import {
  type ImageChoice,
  type Documents,
  type ImageLayer,
  imageConfig,
  imageLayers,
  isPlatform,
  platformOf,
  readDocument,
} from "./documents.ts";

const image = z.object({
  // biome-ignore-start lint/style/useNamingConvention: Docker's names
  Config: z.string(),
  RepoTags: z.array(z.string()).nullish(),
  Layers: z.array(z.string()),
  // biome-ignore-end lint/style/useNamingConvention: Docker's names
});
const manifest = z.array(image);
type Image = z.infer<typeof image>;

/**
 * Layers of an image in what `docker save` wrote before it wrote OCI image layouts, and others still do.
 *
 * @throws OperationalError naming the document and what is wrong with it, or the choices there are
 * @see https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format
 */
export function dockerLayers(docs: Documents, choice: ImageChoice): ImageLayer[] {
  const chosen = choose(docs, readDocument(docs, "manifest.json", manifest), choice);
  // A configuration that is named by its digest must have it.
  const id = idOf(chosen);
  const wanted = id === undefined ? undefined : `sha256:${id}`;
  const config = readDocument(docs, chosen.Config, imageConfig, wanted);
  const own = platformOf(config);
  if (choice.platform !== undefined && !isPlatform(own, choice.platform))
    throw new OperationalError(
      `${docs.shownName(chosen.Config)}: an image for ${own || "no platform"}, not ${choice.platform}`,
    );
  return imageLayers(docs, chosen.Config, config.rootfs.diff_ids, chosen.Layers, []);
}

const idOf = ({ Config: name }: Image): string | undefined =>
  /(?:^|[/:])([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];

function choose(docs: Documents, all: readonly Image[], { ref }: ImageChoice): Image {
  const fits = (one: Image) =>
    ref === undefined || one.RepoTags?.includes(ref) || ref.replace(/^sha256:/, "") === idOf(one);
  const left = all.filter(fits);
  const [only, ...more] = left;
  if (only !== undefined && more.length === 0) return only;
  const choices = all.map((one) => [...(one.RepoTags ?? []), idOf(one)].filter(Boolean).join(" ")).join(", ");
  const what = left.length > 1 ? `${left.length} images` : `no image ${ref}`;
  throw new OperationalError(`${docs.name}: ${what}; there are: ${choices || "none"} (--ref)`);
}
