import { escapeControlChars } from "../bytes/escape-control-chars.ts";
import type { ImageEntry } from "./image-entry.ts";
import { showPlatform } from "./platform.ts";
import { familiarName } from "./reference.ts";

const MAX_ROWS = 40;
const MAX_PLATFORMS = 4;
/** Digits of a digest: docker's own short form. */
const SHORT = "sha256:".length + 12;

/** What there is to choose from: names that work, platforms, digests. One stands in the line, more are a table. */
export function describeImages(entries: readonly ImageEntry[]): string {
  const rows = entries.flatMap(rowsOf);
  const [only, ...more] = rows;
  if (only === undefined) return "";
  if (more.length === 0) return `; there are: ${only.filter((cell) => cell !== "-").join(" ")}`;
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows
    .slice(0, MAX_ROWS)
    .map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
  const left = rows.length - lines.length;
  return ["; there are:", ...lines, ...(left > 0 ? [`  … and ${left} more`] : [])].join("\n");
}

/** One for each name that is worth telling. */
function rowsOf({ names, tags, digest, images }: ImageEntry): string[][] {
  const shown = [...new Set((names.length > 0 ? names : tags).map(familiarName))];
  const platforms = [
    ...new Set(images.flatMap(({ platform }) => (platform ? [showPlatform(platform)] : []))),
  ].filter((platform) => !platform.startsWith("unknown/"));
  const more = platforms.length - MAX_PLATFORMS;
  const first = platforms.slice(0, MAX_PLATFORMS).join(",");
  const cells = [more > 0 ? `${first} and ${more} more` : first || "-", digest.slice(0, SHORT)];
  return (shown.length > 0 ? shown : ["-"]).map((name) => [name, ...cells].map(escapeControlChars));
}
