import type { ImageEntry, PlatformImage } from "./image-entry.ts";
import { canonicalName, isDigest, parseReference } from "./reference.ts";

/** An image and what it is an image of. */
export interface Candidate {
  readonly entry: ImageEntry;
  readonly image: PlatformImage;
}

export interface Found {
  readonly candidates: readonly Candidate[];
  /** All of them are one image, for different platforms: the first that fits is meant. */
  readonly isOne: boolean;
  /** It was named by itself, not by a list of images for several platforms. */
  readonly isNamedAlone: boolean;
}

const candidatesOf = (entries: readonly ImageEntry[]): Candidate[] =>
  entries.flatMap((entry) => entry.images.map((image) => ({ entry, image })));

export const foundAll = (entries: readonly ImageEntry[], isOne: boolean): Found => ({
  candidates: candidatesOf(entries),
  isOne: isOne || entries.length === 1,
  isNamedAlone: entries.length === 1 && entries[0]?.isIndex === false,
});

/**
 * Images of a name: as it is written there; as docker understands it; as podman looks for it among its own; by a tag
 * alone; by a digest, or the beginning of one. What is found by one of these ways is not looked for by the next.
 */
export function findImages(entries: readonly ImageEntry[], ref: string): Found {
  const digest = parseReference(ref)?.digest;
  const canonical = digest === undefined ? canonicalName(ref) : undefined;
  const isCanonical = (wanted: string | undefined) => (name: string) =>
    wanted !== undefined && canonicalName(name) === wanted;
  const byName = [(name: string) => name === ref, isCanonical(canonical), isCanonical(localName(ref))];
  for (const isNamed of byName) {
    const named = entries.filter(({ names }) => names.some(isNamed));
    if (named.length > 0) return foundAll(named, true);
  }
  const tagged = entries.filter(({ tags }) => tags.includes(ref));
  if (tagged.length > 0) return foundAll(tagged, false);
  const position = /^@(\d+)$/.exec(ref)?.[1];
  if (position !== undefined)
    return foundAll(
      entries.filter(({ positions }) => positions.includes(Number(position))),
      true,
    );
  return findDigest(candidatesOf(entries), digest ?? (isDigest(ref) ? ref : undefined), ref);
}

/** What podman calls an image of its own that has no registry. */
function localName(ref: string): string | undefined {
  const isShort = parseReference(ref)?.domain === "docker.io" && !/^(index\.)?docker\.io\//.test(ref);
  return isShort ? canonicalName(`localhost/${ref}`) : undefined;
}

/** Shorter ones would be met by accident. */
const BEGINNING = /^(?:sha256:)?([0-9a-f]{4,64})$/;

function findDigest(candidates: readonly Candidate[], whole: string | undefined, ref: string): Found {
  const beginning = BEGINNING.exec(ref.replace(/^.*@/, ""))?.[1];
  const isMeant = (digest: string) =>
    whole === undefined
      ? beginning !== undefined && digest.startsWith(`sha256:${beginning}`)
      : digest === whole;
  const alone = candidates.filter(({ image }) => image.digests.some(isMeant));
  const listed = candidates.filter(({ image }) => image.indexes.some(isMeant));
  const meant = new Set(
    candidates.flatMap(({ image }) => [...image.digests, ...image.indexes].filter(isMeant)),
  );
  if (alone.length === 0) return { candidates: listed, isOne: meant.size === 1, isNamedAlone: false };
  // Several manifests may have one configuration, and then the same contents.
  const isOne = listed.length === 0 && (meant.size === 1 || alone.length === 1);
  return { candidates: [...alone, ...listed], isOne, isNamedAlone: isOne };
}
