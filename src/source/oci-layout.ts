import { OperationalError } from "../bytes/errors.ts";
import { artifactTypeOf, artifactTypeSaid } from "./artifact.ts";
import { type Documents, imageLayers, readDocument } from "./documents.ts";
import type { Artifact, ImageEntry, ImageList, PlatformImage } from "./image-entry.ts";
import { type Descriptor, imageConfig, index, isIndex, manifest } from "./image-documents.ts";
import { mustBeTars } from "./media-types.ts";
import { normalizePlatform, showPlatform } from "./platform.ts";

const REF = "org.opencontainers.image.ref.name";
/** What containerd, docker and BuildKit call it: the whole name. Theirs is then only the tag in REF. */
const NAME = "io.containerd.image.name";
/** Under which tags registries without a referrers API keep what belongs to an image. */
const REFERRER_TAG = /(^|:)sha(256|512)-[0-9a-f]{64,128}(\.[\w.]+)?$/;
const MAX_DEPTH = 4;
/** Each may be listed by many indexes, so that few bytes could make endless work. */
const MAX_MANIFESTS = 1 << 16;

/**
 * Images of an OCI image layout.
 *
 * @throws OperationalError naming index.json and what is wrong with it. What is wrong with an image, choosing it says
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export function ociImages(docs: Documents): ImageList {
  const artifacts: Artifact[] = [];
  const entries = new Map<string, ImageEntry>();
  const seen = new Set<string>();
  readDocument(docs, "index.json", index).manifests.forEach((descriptor, position) => {
    const { digest, annotations } = descriptor;
    const full = annotations?.[NAME];
    const ref = annotations?.[REF];
    const names = [full ?? ref].filter((name): name is string => !!name);
    const known = entries.get(digest);
    const none: Artifact[] = [];
    const images = [...(known?.images ?? []), ...imagesOf(docs, descriptor, [], seen, none)];
    artifacts.push(...none);
    const isReferrer = names.some((name) => REFERRER_TAG.test(name));
    if (images.length === 0 || isReferrer) {
      const type = isReferrer ? "what refers to an image" : "an index without images";
      artifacts.push({ names, digest, type: none[0]?.type ?? type });
    } else
      entries.set(digest, {
        names: union(known?.names, names),
        tags: union(known?.tags, full && ref ? [ref] : []),
        positions: [...(known?.positions ?? []), position],
        isIndex: isIndex(descriptor) || images.length > 1,
        isOfPlatform: normalizePlatform(descriptor.platform) !== undefined,
        ...{ digest, images },
      });
  });
  return { entries: withoutParts([...entries.values()]), artifacts };
}

const union = (some: readonly string[] | undefined, others: readonly string[]): string[] => [
  ...new Set([...(some ?? []), ...others]),
];

/** Some list the parts of an index beside it: without a name, they are no images of their own. */
function withoutParts(entries: readonly ImageEntry[]): ImageEntry[] {
  const listed = new Set(
    entries.flatMap(({ images, digest }) =>
      images.flatMap(({ digests, indexes }) => [...digests, ...indexes].filter((one) => one !== digest)),
    ),
  );
  return entries.filter(({ names, digest }) => names.length > 0 || !listed.has(digest));
}

/**
 * @param seen what the entry has led to: what is equal is one image
 * @param artifacts what is no image is put there
 */
function* imagesOf(
  docs: Documents,
  descriptor: Descriptor,
  within: readonly string[],
  seen: Set<string>,
  artifacts: Artifact[],
): Generator<PlatformImage> {
  const { digest } = descriptor;
  const platform = normalizePlatform(descriptor.platform);
  // Within an entry. What is the same for several platforms is an image of each of them.
  const isOf = isIndex(descriptor) || platform === undefined ? "" : showPlatform(platform);
  const what = [within[0], digest, isOf].join(" ");
  if (seen.has(what)) return;
  if (seen.size === MAX_MANIFESTS)
    throw new OperationalError(`${docs.name}: more than ${MAX_MANIFESTS} manifests in its indexes`);
  seen.add(what);
  try {
    if (isIndex(descriptor)) {
      if (within.length === MAX_DEPTH)
        throw new OperationalError(`${docs.name}: its indexes are nested too deep: each leads to another`);
      const document = readDocument(docs, blobName(descriptor), index, digest);
      const type = artifactTypeSaid(descriptor.artifactType, document);
      if (type !== undefined) artifacts.push({ names: [], digest, type });
      else
        for (const child of document.manifests)
          yield* imagesOf(docs, child, [...within, digest], seen, artifacts);
    } else {
      const image = imageOf(docs, descriptor);
      if ("type" in image) artifacts.push(image);
      else yield { ...image, indexes: within };
    }
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    yield { digests: [digest], indexes: within, platform, layers: error };
  }
}

function imageOf(docs: Documents, descriptor: Descriptor): Omit<PlatformImage, "indexes"> | Artifact {
  const { digest } = descriptor;
  const isNone = artifactTypeOf(descriptor);
  if (isNone !== undefined) return { names: [], digest, type: isNone };
  const document = readDocument(docs, blobName(descriptor), manifest, digest);
  const type = artifactTypeOf(descriptor, document);
  if (type !== undefined) return { names: [], digest, type };
  const { config, layers } = document;
  const said = readDocument(docs, blobName(config), imageConfig, config.digest);
  const platform = normalizePlatform(descriptor.platform) ?? normalizePlatform(said);
  const digests = [digest, config.digest];
  try {
    mustBeTars(docs, layers, blobName);
    const sizes = layers.map(({ size }) => size);
    const made = imageLayers(docs, config.digest, said, layers.map(blobName), sizes);
    return { digests, platform, layers: made };
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    return { digests, platform, layers: error };
  }
}

const blobName = ({ digest }: Descriptor): string => `blobs/${digest.replace(":", "/")}`;
