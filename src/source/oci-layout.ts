import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, StartError } from "../bytes/errors.ts";

/** A layer of an image: its file, compressed or not, and the sha256 that its tar must have. */
export interface OciLayer {
  readonly path: string;
  readonly diffId: string;
}

/** Which of several images is meant. */
export interface Choice {
  /** `org.opencontainers.image.ref.name`, or the digest of a manifest. */
  readonly ref?: string | undefined;
  /** `os/architecture[/variant]`. */
  readonly platform?: string | undefined;
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "want sha256:<64 hex digits>");
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
const config = z.object({ rootfs: z.object({ diff_ids: z.array(digest) }) });
type Descriptor = z.infer<typeof descriptor>;

const REF = "org.opencontainers.image.ref.name";
const INDEXES = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);
/** Documents are small; a larger one is no such document. */
const MAX_DOCUMENT = 8 << 20;

/** The platform of this process, as images name it. */
const ownPlatform = (): string =>
  `linux/${{ x64: "amd64", ia32: "386" }[process.arch as string] ?? process.arch}`;

/**
 * Layers of an image in an OCI image layout, the lowest first.
 *
 * @throws StartError naming the document and what is wrong with it, or the choices there are
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 */
export function ociLayers(dir: string, choice: Choice): OciLayer[] {
  const top = read(join(dir, "index.json"), index);
  let chosen = choose(dir, top.manifests, choice);
  // An index may lead to another one, for each platform; not without end.
  for (let depth = 0; INDEXES.has(chosen.mediaType); depth++) {
    if (depth === 4) throw new StartError(`${dir}: indexes that lead to one another`);
    chosen = choose(dir, document(dir, chosen, index).manifests, { platform: choice.platform });
  }
  const { config: about, layers } = document(dir, chosen, manifest);
  const diffIds = document(dir, about, config).rootfs.diff_ids;
  if (diffIds.length !== layers.length)
    throw new StartError(
      `${dir}: ${layers.length} layers, but ${diffIds.length} diff_ids in ${about.digest}`,
    );
  return layers.map((layer, i) => {
    const path = blobPath(dir, layer);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size !== layer.size)
      throw new StartError(
        `${path}: ${size === undefined ? "not there" : `${size} bytes`}, want ${layer.size} bytes`,
      );
    return { path, diffId: diffIds[i].slice("sha256:".length) };
  });
}

function choose(dir: string, all: readonly Descriptor[], { ref, platform: wanted }: Choice): Descriptor {
  const named = ref === undefined ? all : all.filter((d) => d.annotations?.[REF] === ref || d.digest === ref);
  const nameOf = (d: Descriptor) =>
    d.platform && [d.platform.os, d.platform.architecture, d.platform.variant];
  const fits = (d: Descriptor) => {
    const own = nameOf(d)
      ?.filter((part) => part !== undefined)
      .join("/");
    return (
      own === undefined || own === (wanted ?? ownPlatform()) || own.startsWith(`${wanted ?? ownPlatform()}/`)
    );
  };
  const left = named.filter(fits);
  if (left.length === 1) return left[0];
  const choices = (left.length > 1 ? left : all)
    .map((d) =>
      [d.annotations?.[REF], nameOf(d)?.filter(Boolean).join("/"), d.digest].filter(Boolean).join(" "),
    )
    .join(", ");
  const what = left.length > 1 ? `${left.length} images fit` : "no image fits";
  throw new StartError(
    `${dir}: ${what} ${ref ?? wanted ?? ownPlatform()}; there are: ${choices || "none"} (--ref, --platform)`,
  );
}

const blobPath = (dir: string, { digest: id }: Descriptor): string =>
  join(dir, "blobs/sha256", id.slice("sha256:".length));

/** A document that must have the digest it is named by. */
function document<T>(dir: string, of: Descriptor, schema: z.ZodType<T>): T {
  const path = blobPath(dir, of);
  return read(path, schema, of.digest);
}

function read<T>(path: string, schema: z.ZodType<T>, wanted?: string): T {
  let bytes: Buffer;
  try {
    if (statSync(path).size > MAX_DOCUMENT) throw new Error("too large for a document");
    bytes = readFileSync(path);
  } catch (error) {
    throw new StartError(`${path}: ${messageOf(error)}`);
  }
  const found = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  if (wanted !== undefined && found !== wanted)
    throw new StartError(`${path}: its digest is ${found}, want ${wanted}`);
  let parsed: z.ZodSafeParseResult<T>;
  try {
    parsed = schema.safeParse(JSON.parse(bytes.toString("utf8")));
  } catch {
    throw new StartError(`${path}: no JSON`);
  }
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new StartError(`${path}: ${issue.path.join(".") || "document"}: ${issue.message}`);
}
