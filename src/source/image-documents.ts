import { z } from "zod";
import { isDigest } from "./reference.ts";

/** Go writes null for a list that is empty, and leaves out what is. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((list) => list ?? []);

const rawPlatform = z.object({
  os: z.string().nullish(),
  architecture: z.string().nullish(),
  variant: z.string().nullish(),
  "os.version": z.string().nullish(),
  "os.features": z.array(z.string()).nullish(),
});

/** A step of the build that made the image. */
const step = z.object({
  created: z.string().nullish(),
  created_by: z.string().nullish(),
  empty_layer: z.boolean().nullish(),
});

const diffId = z.string().regex(/^sha256:[0-9a-f]{64}$/, "want sha256:<64 hex digits>");
/** An image's configuration, as far as it is used here. */
export const imageConfig = rawPlatform.extend({
  // For people only: whatever is wrong with it, the image is as good without.
  history: listOf(step).catch([]),
  rootfs: z
    .object({ diff_ids: listOf(diffId) })
    .nullish()
    .transform((rootfs) => rootfs ?? { diff_ids: [] }),
});

const descriptor = z.object({
  mediaType: z.string().nullish(),
  artifactType: z.string().nullish(),
  digest: z.string().refine(isDigest, "want sha256:<64 hex digits>"),
  size: z.number().int().nonnegative().optional(),
  platform: rawPlatform.nullish(),
  annotations: z.record(z.string(), z.string().nullish()).nullish(),
  urls: listOf(z.string()),
});
export const index = z.object({ artifactType: z.string().nullish(), manifests: listOf(descriptor) });
export const manifest = z.object({
  artifactType: z.string().nullish(),
  config: descriptor,
  layers: listOf(descriptor),
});
export type ImageConfig = z.infer<typeof imageConfig>;
export type Descriptor = z.infer<typeof descriptor>;
export type Manifest = z.infer<typeof manifest>;
export type Index = z.infer<typeof index>;

const INDEXES = new Set<unknown>([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);

export const isIndex = ({ mediaType }: Descriptor): boolean => INDEXES.has(mediaType);
