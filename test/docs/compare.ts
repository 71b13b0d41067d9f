/** What differs from one run, machine or clock to the next. Longer runs of spaces line columns up. */
const MASKS: readonly (readonly [what: RegExp, mask: string])[] = [
  [/\b[0-9a-f]{64}\b/g, "<sha256>"],
  [/\b[0-9a-f]{12,40}\b/g, "<hex>"],
  [/0x[0-9a-f]+/g, "0"],
  [/\d+(?:[.,]\d+)*(?:e[+-]\d+)?/g, "0"],
  [/ {2,}/g, " "],
  [/[ \t]+$/g, ""],
];
/** Alone in a line it stands for any lines, within one for any text. */
const ELLIPSIS = "…";
/** As pages shorten digests. */
const SHORTENED = /\b[0-9a-f]{6,}…/g;

export const masked = (line: string): string =>
  MASKS.reduce((text, [what, mask]) => text.replace(what, mask), line);

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Whether a command printed what a page says, but for what is masked. */
export function isAlike(printed: readonly string[], wanted: readonly string[]): boolean {
  const lines = wanted.map((line) =>
    line.trim() === ELLIPSIS
      ? "(?:.*\n)*?"
      : `${masked(line.replace(SHORTENED, ELLIPSIS)).split(ELLIPSIS).map(quoted).join(".*")}\n`,
  );
  return new RegExp(`^${lines.join("")}$`).test(printed.map((line) => `${masked(line)}\n`).join(""));
}
