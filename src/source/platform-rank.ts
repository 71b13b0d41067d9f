import type { Platform, WantedPlatform } from "./platform.ts";

/** Worse than every variant that the wanted platform runs. */
const HIGHER = 1000;
/** Was mandatory for Windows images before anyone compared features. */
const IGNORED_FEATURE = "win32k";

/**
 * How well an image fits: 0 is exactly, more is worse. What is made for a lower variant runs, the highest of those
 * best; one of a higher variant fits only if none was asked for.
 *
 * @returns undefined when it does not fit. Unlike containerd, amd64 does not take 386, nor arm64 arm: it was not asked for
 * @see https://github.com/containerd/platforms/blob/main/compare.go
 */
export function rankPlatform(own: Platform, wanted: WantedPlatform): number | undefined {
  if (own.os !== wanted.os || own.architecture !== wanted.architecture) return undefined;
  const { osVersion } = wanted;
  if (osVersion !== "" && own.osVersion !== osVersion && !own.osVersion.startsWith(`${osVersion}.`))
    return undefined;
  const needed = own.osFeatures.filter((name) => name !== IGNORED_FEATURE);
  if (!needed.every((name) => wanted.osFeatures.includes(name))) return undefined;
  const missing = (wanted.osFeatures.length - needed.length) / (wanted.osFeatures.length + 1);
  const at = downwards(wanted).indexOf(own.variant);
  if (at >= 0) return at + missing;
  return wanted.isAnyVariant ? HIGHER + versionOf(own.variant) + missing : undefined;
}

/** Variants that a platform runs, its own first. */
function downwards({ architecture, variant }: Platform): string[] {
  if (architecture === "arm") return down("v", versionOf(variant), 5, variant);
  if (architecture === "amd64") return [...down("v", versionOf(variant), 2, variant), ""];
  if (architecture !== "arm64" || !/^v[89](\.\d+)?$/.test(variant)) return [variant, ""];
  const [major, minor = 0] = variant.slice(1).split(".").map(Number);
  // An Armv9.x runs what Armv8.(x + 5) does; there is no Armv8.10.
  const of8 = major === 9 ? Math.min(9, minor + 5) : minor;
  return [...(major === 9 ? [...down("v9.", minor, 1, variant), "v9"] : []), ...down("v8.", of8, 1), ""];
}

function down(prefix: string, from: number, to: number, first?: string): string[] {
  const all = first === undefined ? [] : [first];
  for (let version = from; version >= to; version--) all.push(`${prefix}${version}`);
  return all;
}

/** 0 when it is no number. */
const versionOf = (variant: string): number => Number(/^v(\d+(\.\d+)?)$/.exec(variant)?.[1] ?? 0);
