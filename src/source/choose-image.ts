import { OperationalError } from "../bytes/errors.ts";
import type { ImageLayer } from "./documents.ts";
import { type Candidate, findImages, foundAll } from "./find-images.ts";
import type { ImageEntry, ImageList } from "./image-entry.ts";
import { describeImages } from "./image-table.ts";
import { describeType } from "./media-types.ts";
import { hostPlatform, type Platform, showPlatform, type WantedPlatform } from "./platform.ts";
import { rankPlatform } from "./platform-rank.ts";

/** Which of several images is meant. */
export interface ImageChoice {
  /** Its name as people write it, or a digest, or the beginning of one. */
  readonly ref?: string | undefined;
  readonly platform?: WantedPlatform | undefined;
}

/**
 * Layers of the one image that is meant.
 *
 * @param source its name, for messages
 * @throws OperationalError saying what there is, when none or several fit
 */
export function chooseImage(
  source: string,
  list: ImageList,
  { ref, platform }: ImageChoice,
  warn: (message: string) => void,
): readonly ImageLayer[] {
  const refuse = (problem: string, offered: readonly ImageEntry[]): never => {
    throw new OperationalError(`${source}: ${problem}${describeImages(offered)}`);
  };
  const { entries } = list;
  const found = ref === undefined ? foundAll(entries, false) : findImages(entries, ref);
  const { candidates, isOne, isNamedAlone } = found;
  if (candidates.length === 0) refuse(whyNone(list, ref), entries);
  const offered = [...new Set(candidates.map(({ entry }) => entry))];
  const what = ref === undefined ? "" : ` ${ref}`;
  // Images of different names are different images: the platform of this host is no reason to take one of them.
  if (!isOne && platform === undefined && !haveOneName(offered))
    refuse(`${offered.length} images${what && ` fit${what}`}, want one of them by --ref`, offered);
  if (isNamedAlone && platform === undefined) {
    const [{ image }] = candidates as [Candidate];
    const layers = layersOf(image); // an image that is broken needs no warning
    warnOfPlatform(source, image.platform, warn);
    return layers;
  }
  const target = platform ?? hostPlatform();
  const best = bestOf(candidates, target, platform === undefined);
  const [first] = best;
  if (first === undefined) return refuse(`no image${what} for ${showPlatform(target)} (--platform)`, offered);
  const fitting = [...new Set(best.map(({ entry }) => entry))];
  if (!isOne && fitting.length > 1)
    refuse(`${fitting.length} images fit${what} ${showPlatform(target)}, want one of them by --ref`, fitting);
  return layersOf(first.image);
}

function whyNone({ entries, artifacts }: ImageList, ref: string | undefined): string {
  const artifact = artifacts.find(({ names, digest }) => ref === digest || names.includes(ref ?? ""));
  if (artifact !== undefined) return `${ref} is no image, but an artifact: ${describeType(artifact.type)}`;
  if (entries.length > 0) return `no image ${ref}`;
  const types = [...new Set(artifacts.map(({ type }) => describeType(type)))].join(", ");
  return types === "" ? "no image in it" : `no image in it, only artifacts: ${types}`;
}

/** One image for several platforms: under one name, or nameless in a list that says for which platform each is. */
function haveOneName(entries: readonly ImageEntry[]): boolean {
  if (entries.every(({ names, isOfPlatform }) => names.length === 0 && isOfPlatform)) return true;
  return entries[0]?.names.some((name) => entries.every(({ names }) => names.includes(name))) ?? false;
}

/**
 * Those that fit best, in their order; those that are whole, if any is.
 *
 * @param isUnsaidFitting images that do not say their platform fit, but worse than any other
 */
function bestOf(
  candidates: readonly Candidate[],
  target: WantedPlatform,
  isUnsaidFitting: boolean,
): Candidate[] {
  const unsaid = isUnsaidFitting ? Number.POSITIVE_INFINITY : undefined;
  const ranked = candidates.flatMap((candidate) => {
    const { platform, layers } = candidate.image;
    const rank = platform === undefined ? unsaid : rankPlatform(platform, target);
    return rank === undefined ? [] : [{ candidate, rank, isWhole: !(layers instanceof Error) }];
  });
  const whole = ranked.filter(({ isWhole }) => isWhole);
  const left = whole.length > 0 ? whole : ranked;
  const least = Math.min(...left.map(({ rank }) => rank));
  return left.filter(({ rank }) => rank === least).map(({ candidate }) => candidate);
}

function layersOf({ layers }: Candidate["image"]): readonly ImageLayer[] {
  if (layers instanceof Error) throw layers;
  return layers;
}

function warnOfPlatform(source: string, own: Platform | undefined, warn: (message: string) => void): void {
  const host = hostPlatform();
  if (own !== undefined && rankPlatform(own, host) === undefined)
    warn(`${source}: an image for ${showPlatform(own)}; this host is ${showPlatform(host)}`);
}
