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
  const list = ociImages(docs);
  const beside = docs.has("manifest.json") ? dockerImagesBeside(docs) : [];
  const whole = list.entries.filter(isWhole);
  const others = beside.filter((one) => !whole.some((entry) => isSame(entry, one)));
  const named = whole.map((entry) => ({
    ...entry,
    names: [
      ...new Set([
        ...entry.names,
        ...beside.filter((one) => hasImage(entry, one)).flatMap(({ names }) => names),
      ]),
    ],
  }));
  if (others.length === 0)
    return { ...list, entries: [...named, ...list.entries.filter((e) => !isWhole(e))] };
  return { ...list, entries: [...named, ...others] };
}

/** Those that are whole: what lies beside an index may be anything. */
function dockerImagesBeside(docs: Documents): ImageEntry[] {
  try {
    return dockerImages(docs).filter(isWhole);
  } catch (error) {
    if (error instanceof OperationalError) return [];
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
