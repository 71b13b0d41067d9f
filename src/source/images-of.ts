import { OperationalError, UsageError } from "../bytes/errors.ts";
import { asLayout, without } from "./dir-form.ts";
import { chooseImage, type ImageChoice } from "./choose-image.ts";
import type { Documents, ImageLayer } from "./documents.ts";
import { imagesIn } from "./image-list.ts";
import type { Source } from "./kind.ts";

/**
 * Layers of the image that is chosen of a source, the lowest first.
 *
 * @throws OperationalError naming the document and what is wrong with it, or the choices there are
 */
export function imageLayersOf(
  source: Extract<Source, { kind: "images" }>,
  { ref: asked, platform, warn }: ImageChoice & { readonly warn: (message: string) => void },
): readonly ImageLayer[] {
  const { ref = asked } = source.named;
  if (asked !== undefined && ref !== asked)
    throw new UsageError(`--ref ${asked} contradicts the name of the source, which says ${ref}`);
  const docs = documentsOf(source);
  return chooseImage(docs.name, imagesIn(docs), { ref, platform }, warn);
}

function documentsOf({ docs, form, named }: Extract<Source, { kind: "images" }>): Documents {
  if (form === "docker-before-1.10")
    throw new OperationalError(
      `${docs.name}: an archive that docker save wrote before Docker 1.10, without manifest.json: docker load it, ` +
        "and docker save it again with a newer version",
    );
  if (form === "dir") return asLayout(docs);
  const has = { "oci-archive": "index.json", "docker-archive": "manifest.json" }[named.transport as string];
  if (has !== undefined && !docs.has(has))
    throw new OperationalError(`${docs.name}: no ${named.transport}: it has no ${has}`);
  if (has !== undefined) return without(docs, has === "index.json" ? "manifest.json" : "index.json");
  if (!docs.has("index.json") && !docs.has("manifest.json"))
    throw new OperationalError(
      `${docs.name}: an archive of images without index.json and manifest.json: cut off, or not all of it was packed`,
    );
  return docs;
}
