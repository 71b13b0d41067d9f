import type { Descriptor, Index, Manifest } from "./image-documents.ts";

const MANIFESTS = new Set([
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "",
]);
const CONFIGS = new Set([
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
]);
/** Registries and clients gave these to configurations of images, and docker takes them for that. */
const CONFIGS_BY_MISTAKE = new Set(["application/octet-stream", "application/json", "text/html", ""]);
/** Of signatures and attestations, whose configuration may be an image's: documents instead of layers. */
const DOCUMENT = /^text\/|[+/.](json|xml|yaml|spdx)$/;

/** Where it says of itself that it is none. Lists of what refers to an image give an image the type of its configuration. */
export function artifactTypeSaid(
  artifactType: string | null | undefined,
  document?: Manifest | Index,
): string | undefined {
  const said = document?.artifactType || artifactType;
  return said && !CONFIGS.has(said) ? said : undefined;
}

/**
 * What a manifest is, when it is no image.
 *
 * @param document without it: as far as its descriptor says it
 * @see https://github.com/opencontainers/image-spec/blob/main/manifest.md#guidelines-for-artifact-usage
 */
export function artifactTypeOf(descriptor: Descriptor, document?: Manifest): string | undefined {
  const { mediaType, annotations, artifactType } = descriptor;
  if (!MANIFESTS.has(mediaType ?? "")) return mediaType ?? undefined;
  if (annotations?.["vnd.docker.reference.type"] === "attestation-manifest") return "attestation";
  const said = artifactTypeSaid(artifactType, document);
  if (said !== undefined) return said;
  if (document === undefined) return undefined;
  const { config, layers } = document;
  const type = config.mediaType ?? "";
  if (!CONFIGS.has(type) && !CONFIGS_BY_MISTAKE.has(type)) return type;
  const [first] = layers;
  const isDocument = (layer: Descriptor) => DOCUMENT.test(layer.mediaType ?? "");
  return first !== undefined && layers.every(isDocument) ? (first.mediaType ?? undefined) : undefined;
}
