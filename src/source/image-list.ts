import { OperationalError } from "../bytes/errors.ts";
import { dockerImages } from "./docker-archive.ts";
import type { Documents } from "./documents.ts";
import type { ImageEntry, ImageList } from "./image-entry.ts";
import { ociImages } from "./oci-layout.ts";
import { canonicalName } from "./reference.ts";

/**
 * All images of a layout or an archive. Where both kinds of documents are, the OCI ones say more; but docker has
 * written indexes that leave images or their layers out, beside a manifest.json that is whole.
 *
 * @throws OperationalError naming the document and what is wrong with it
 */
export function imagesIn(docs: Documents): ImageList {
  if (!docs.has("index.json")) return { entries: dockerImages(docs), artifacts: [] };
  const beside = docs.has("manifest.json") ? attempt(() => dockerImages(docs).filter(isWhole)) : undefined;
  const docker = Array.isArray(beside) ? beside : [];
  const list = attempt(() => ociImages(docs));
  if (list instanceof Error) {
    if (docker.length === 0) throw list;
    return { entries: docker, artifacts: [] };
  }
  const whole = list.entries.filter(isWhole).map((entry) => ({
    ...entry,
    names: [...new Set([entry, ...docker.filter((one) => hasImage(entry, one))].flatMap((e) => e.names))],
  }));
  const others = docker.filter((one) => !whole.some((entry) => isSame(entry, one)));
  const broken = others.length > 0 ? [] : list.entries.filter((entry) => !isWhole(entry));
  return { ...list, entries: [...whole, ...others, ...broken] };
}

function attempt<T>(read: () => T): T | OperationalError {
  try {
    return read();
  } catch (error) {
    if (error instanceof OperationalError) return error;
    throw error;
  }
}

const isWhole = ({ images }: ImageEntry): boolean => images.some(({ layers }) => !(layers instanceof Error));

const hasImage = (entry: ImageEntry, { digest }: ImageEntry): boolean =>
  entry.images.some(({ digests }) => digests.includes(digest));

/** One image, or two of one name, of which the index's is meant. */
function isSame(entry: ImageEntry, other: ImageEntry): boolean {
  const names = new Set(entry.names.map(canonical));
  return hasImage(entry, other) || other.names.some((name) => names.has(canonical(name)));
}

const canonical = (name: string): string => canonicalName(name) ?? name;
