import { z } from "zod";
import { OperationalError } from "../bytes/errors.ts";
import {
  type ImageChoice,
  type Documents,
  digest,
  type ImageLayer,
  imageConfig,
  imageLayers,
  isPlatform,
  platformOf,
  readDocument,
} from "./documents.ts";

const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const descriptor = z.object({
  mediaType: z.string(),
  digest,
  size: z.number().int().nonnegative(),
  platform: platform.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const index = z.object({ manifests: z.array(descriptor) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });
type Descriptor = z.infer<typeof descriptor>;

const REF = "org.opencontainers.image.ref.name";
/** What containerd, and so `docker save`, calls it. */
const NAMES = [REF, "io.containerd.image.name"];
const INDEXES = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);

/** The platform of this process, as images name it. */
const ownPlatform = (): string =>
  `linux/${{ x64: "amd64", ia32: "386" }[process.arch as string] ?? process.arch}`;

/**
 * Layers of an image in an OCI image layout, the lowest first.
 *
 * @throws OperationalError naming the document and what is wrong with it, or the choices there are
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export function ociLayers(docs: Documents, choice: ImageChoice): ImageLayer[] {
  const top = readDocument(docs, "index.json", index);
  let chosen = choose(docs, top.manifests, choice);
  // An index may lead to another one, for each platform; not without end.
  for (let depth = 0; INDEXES.has(chosen.mediaType); depth++) {
    if (depth === 4)
      throw new OperationalError(`${docs.name}: its indexes are nested too deep: each leads to another`);
    const { manifests } = readDocument(docs, blobName(chosen), index, chosen.digest);
    chosen = choose(docs, manifests, { platform: choice.platform });
  }
  const { config, layers } = readDocument(docs, blobName(chosen), manifest, chosen.digest);
  const { rootfs } = readDocument(docs, blobName(config), imageConfig, config.digest);
  const sizes = layers.map(({ size }) => size);
  return imageLayers(docs, config.digest, rootfs.diff_ids, layers.map(blobName), sizes);
}

function choose(
  docs: Documents,
  all: readonly Descriptor[],
  { ref, platform: wanted }: ImageChoice,
): Descriptor {
  const isNamed = (d: Descriptor) => d.digest === ref || NAMES.some((name) => d.annotations?.[name] === ref);
  const named = ref === undefined ? all : all.filter(isNamed);
  const target = wanted ?? ownPlatform();
  const fits = (d: Descriptor) => d.platform === undefined || isPlatform(platformOf(d.platform), target);
  const left = named.filter(fits);
  const [only, ...more] = left;
  if (only !== undefined && more.length === 0) return only;
  const choices = (left.length > 1 ? left : all)
    .map((d) =>
      [d.annotations?.[REF], d.platform && platformOf(d.platform), d.digest].filter(Boolean).join(" "),
    )
    .join(", ");
  const what = left.length > 1 ? `${left.length} images fit` : "no image fits";
  throw new OperationalError(
    `${docs.name}: ${what} ${ref ?? target}; there are: ${choices || "none"} (--ref, --platform)`,
  );
}

const blobName = ({ digest: id }: Descriptor): string => `blobs/sha256/${id.slice("sha256:".length)}`;
