import type { ImageEntry } from "./image-entry.ts";
import { showPlatform } from "./platform.ts";
import { familiarName } from "./reference.ts";

const MAX_ROWS = 40;
/** Of an entry among others; of the only one, all that people would make. */
const MAX_PLATFORMS = 4;
const MAX_PLATFORMS_OF_ONE = 40;
/** A digest: docker shows its first 12 digits. */
const DIGEST = /\b(sha(?:256|512):[0-9a-f]{12})[0-9a-f]{52,}$/;
const short = (text: string): string => text.replace(DIGEST, "$1");

/** What there is to choose from, in one line: names that work, platforms, digests. */
export function describeImages(entries: readonly ImageEntry[]): string {
  const most = entries.length > 1 ? MAX_PLATFORMS : MAX_PLATFORMS_OF_ONE;
  const rows = entries.flatMap((entry) => rowsOf(entry, most));
  if (rows.length === 0) return "";
  const all = rows.slice(0, MAX_ROWS).map((row) => row.filter((cell) => cell !== "-").join(" "));
  const left = rows.length - all.length;
  return `; there are: ${[...all, ...(left > 0 ? [`${left} more`] : [])].join(" | ")}`;
}

/** One for each name that is worth telling. */
function rowsOf({ names, tags, digest, images }: ImageEntry, most: number): string[][] {
  // A name that is the digest stands in the column of digests.
  const said = (names.length > 0 ? names : tags).map((name) => short(familiarName(name)));
  const shown = [...new Set(said)].filter((name) => name !== short(digest));
  const platforms = [
    ...new Set(images.flatMap(({ platform }) => (platform ? [quoted(showPlatform(platform))] : []))),
  ].filter((platform) => !platform.startsWith("unknown/"));
  const more = platforms.length - most;
  const first = platforms.slice(0, most).join(",");
  const cells = [more > 0 ? `${first} and ${more} more` : first || "-", short(digest)];
  return (shown.length > 0 ? shown : ["-"]).map((name) => [quoted(name), ...cells]);
}

/** A name that has a blank or a bar in it does not look like two. */
const quoted = (cell: string): string => (/[\s|"]/.test(cell) ? `"${cell.replaceAll('"', '\\"')}"` : cell);
