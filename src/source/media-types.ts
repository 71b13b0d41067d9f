import { OperationalError } from "../bytes/errors.ts";
import type { Documents } from "./documents.ts";

/** What a manifest says of a layer. */
export interface LayerDescriptor {
  readonly mediaType?: string | null | undefined;
  /** Where a layer is that is not distributed with its image. */
  readonly urls?: readonly string[] | null | undefined;
  readonly annotations?: Readonly<Record<string, string | null | undefined>> | null | undefined;
}

/** A layer's media type is a tar's when it says so: `…layer.v1.tar+gzip`, `…rootfs.diff.tar.gzip`. */
const TAR = /(^|[./+-])tar([.+-]|$)/;
const FOREIGN = /\.foreign\.|nondistributable/;
const NYDUS_BOOTSTRAP = "containerd.io/snapshot/nydus-bootstrap";

/** What layers are that are no tars, and what helps. */
const KINDS: readonly (readonly [type: RegExp, what: string])[] = [
  [
    /[+.]encrypted$/,
    "an encrypted layer: skopeo copy --decryption-key KEY oci:DIR oci:PLAIN makes an image that can be read",
  ],
  [
    /nydus/,
    "a nydus blob: it holds chunks, not files; nydusd mounts such an image, and here the one that it was made of mounts",
  ],
  [/squashfs/, "a squashfs image: stacker and squashfs mount it"],
  [/erofs/, "an EROFS image: nydusd-ts mount takes its file alone, decompressed"],
  [/vnd\.cncf\.helm\./, "a Helm chart, not an image of a file system: helm pull unpacks it"],
  [/vnd\.wasm\.|\bwasm\b/, "a WebAssembly module, not an image of a file system"],
  [/in-toto|dev\.cosign|dev\.sigstore|cyclonedx|spdx/, "an attestation or a signature, not an image"],
  [/vnd\.docker\.plugin\./, "a Docker plugin: docker plugin install takes it"],
  [/vnd\.docker\.ai\.|ollama|gguf|safetensors/, "a model, not an image of a file system"],
];

/**
 * The layers of an image have to be tars. Some are known for something else; some are not where the image is.
 *
 * @param nameOf the file of a layer
 * @throws OperationalError naming layer and media type, and what helps
 */
export function mustBeTars<T extends LayerDescriptor>(
  docs: Documents,
  layers: readonly T[],
  nameOf: (layer: T) => string,
): void {
  for (const layer of layers) {
    const name = nameOf(layer);
    const why = problemOf(layer, docs.has(name));
    if (why !== undefined) throw new OperationalError(`${docs.shownName(name)}: ${why}`);
  }
}

/** What a layer of a media type is that is no tar, and what helps; undefined where that is not known. */
export const otherThanTar = (type: string): string | undefined =>
  KINDS.find(([pattern]) => pattern.test(type))?.[1];

/** A media type, and what it is where that is known. */
export function describeType(type: string): string {
  const known = otherThanTar(type);
  return known === undefined ? type : `${type} (${known})`;
}

function problemOf({ mediaType, urls, annotations }: LayerDescriptor, isThere: boolean): string | undefined {
  const type = mediaType ?? "";
  const known = otherThanTar(type);
  if (known !== undefined) return `media type ${type}: ${known}`;
  if (annotations?.[NYDUS_BOOTSTRAP] !== undefined)
    return "the bootstrap of a nydus image: nydusd mounts that, and here the image that it was made of mounts";
  if (!isThere && (FOREIGN.test(type) || (urls ?? []).length > 0))
    return (
      `media type ${type}: a foreign layer, which is not part of the image` +
      `${urls?.[0] ? `: curl -fLo its file from ${urls[0]}` : ""}`
    );
  // One that is no media type at all says nothing.
  if (type.includes("/") && !TAR.test(type))
    return `media type ${type}: an artifact or something else, no layer of an image`;
  return undefined;
}
