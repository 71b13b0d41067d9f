import { parseJson } from "../bytes/bounded-json.ts";

/** How the files of an image are laid out; "unclear" has no documents that say it. */
export type ImageForm = "oci" | "docker" | "dir" | "docker-before-1.10" | "unclear";

/** The files of a directory or an archive. */
interface Files {
  has(name: string): boolean;
  /** undefined when it cannot be read. */
  bytes(name: string): Buffer | undefined;
}

const DIR_VERSION = "Directory Transport Version:";

/**
 * What documents say that files are; undefined when they say nothing.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 * @see https://github.com/moby/docker-image-spec/blob/main/spec.md
 * @see https://github.com/containers/container-libs/blob/main/image/docs/containers-transports.5.md (dir)
 */
export function formOf(files: Files): { form: ImageForm; what: string } | undefined {
  const index = json(files, "index.json");
  const hasIndex = files.has("oci-layout") ? index !== undefined : Array.isArray(field(index, "manifests"));
  if (hasIndex) return { form: "oci", what: "an archive of images (OCI layout)" };
  const manifest = json(files, "manifest.json");
  if (Array.isArray(manifest) && manifest.some(isDockerImage))
    return { form: "docker", what: "an archive of images (docker save)" };
  if (field(manifest, "schemaVersion") !== undefined && text(files, "version").startsWith(DIR_VERSION))
    return { form: "dir", what: "an image in skopeo's directory form" };
  if (!files.has("manifest.json") && isObject(json(files, "repositories")))
    return { form: "docker-before-1.10", what: "an archive that docker save wrote before Docker 1.10" };
  return undefined;
}

/** Files that the manifest of a docker archive names. */
export function namedByManifest(files: Files): string[] {
  const manifest = json(files, "manifest.json");
  if (!Array.isArray(manifest)) return [];
  const named = manifest.filter(isDockerImage).flatMap((one) => [one.Config, ...(one.Layers ?? [])]);
  return named.filter((name) => typeof name === "string");
}

const isDockerImage = (one: unknown): one is { Config: string; Layers: unknown[] | null } =>
  isObject(one) && typeof field(one, "Config") === "string" && isListOrNull(field(one, "Layers"));

/** Go writes null for an empty list. */
const isListOrNull = (value: unknown): boolean => Array.isArray(value) || value === null;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const field = (of: unknown, name: string): unknown => (isObject(of) ? of[name] : undefined);

/** "" when it is not there. */
const text = (files: Files, name: string): string =>
  files.has(name) ? (files.bytes(name)?.toString("utf8") ?? "") : "";

/** undefined when it is not there, no JSON, or more than a document may have. */
function json(files: Files, name: string): unknown {
  const said = files.has(name) ? files.bytes(name) : undefined;
  try {
    return said && (parseJson(said) ?? undefined);
  } catch {
    return undefined;
  }
}
