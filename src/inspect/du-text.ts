import { shown } from "../bytes/escape-control-chars.ts";
import { showName } from "../bytes/name.ts";
import type { LayeredImage } from "../layers/layered-image.ts";
import type { DirectoryUsage, HiddenBy, LayerUsage } from "../layers/usage.ts";
import type { SizeText } from "./size-text.ts";
import { tableText } from "./table-text.ts";

const LAYER_HEAD = [
  ...["LAYER", "OWN", "SEEN", "HIDDEN", "OVERWRITTEN", "WHITEOUT", "OPAQUE", "REPLACED"],
  ...["IDLE", "ENTRIES", "CREATED BY"],
];
const DIRECTORY_HEAD = ["SEEN", "HIDDEN", "ENTRIES", "PATH"];
const numbersOf = (head: readonly string[]): ReadonlySet<string> => new Set(head.slice(0, -1));

/** Bytes of a layer that no name of the image leads to any more. */
export const hiddenOf = ({ hidden }: LayerUsage): number => sumOf(Object.values(hidden));

/** A line a layer, the upper one first, and one of all. */
export function layersUsageText(
  usage: readonly LayerUsage[],
  layers: LayeredImage["layers"],
  size: SizeText,
): string {
  const cell = (bytes: number) => (bytes === 0 ? "-" : size(bytes));
  const row = (name: string, some: readonly LayerUsage[], by: string): string[] => {
    const all = (of: (one: LayerUsage) => number) => sumOf(some.map(of));
    const because = (why: HiddenBy) => cell(all(({ hidden }) => hidden[why]));
    return [
      name,
      ...[all(({ own }) => own), all(({ seen }) => seen), all(hiddenOf)].map(cell),
      ...[because("overwritten"), because("whiteout"), because("opaque"), because("replaced")],
      ...[all(({ idle }) => idle), all(({ entries }) => entries)].map(String),
      by,
    ];
  };
  const rows = usage.map((one) =>
    row(String(one.layer), [one], shown(layers[one.layer - 1]?.made?.by ?? "-")),
  );
  return tableText(LAYER_HEAD, [...rows.reverse(), row("total", usage, "-")], numbersOf(LAYER_HEAD));
}

/** A line a directory, the largest first. @param lines so many of them at most */
export function directoriesText(
  image: LayeredImage,
  usage: readonly DirectoryUsage[],
  size: SizeText,
  lines: number,
): string {
  const cell = (bytes: number) => (bytes === 0 ? "-" : size(bytes));
  const rows = largestFirst(image, usage)
    .slice(0, lines)
    .map(({ path, seen, hidden, entries }) => [
      ...[cell(seen), cell(hidden), entries === 0 ? "-" : String(entries)],
      showName(path),
    ]);
  return tableText(DIRECTORY_HEAD, rows, numbersOf(DIRECTORY_HEAD));
}

/** By bytes that are seen, then hidden ones, then by name. */
export function largestFirst(
  image: LayeredImage,
  usage: readonly DirectoryUsage[],
): (DirectoryUsage & { readonly path: Uint8Array })[] {
  return usage
    .map((one) => ({ ...one, path: image.path(one.node) }))
    .sort((a, b) => b.seen - a.seen || b.hidden - a.hidden || Buffer.compare(a.path, b.path));
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0);
