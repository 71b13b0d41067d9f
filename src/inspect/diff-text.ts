import { showName } from "../bytes/name.ts";
import type { ChangeTally } from "../layers/change-tally.ts";
import type { Change } from "../layers/comparison.ts";
import type { LayeredImage, Version } from "../layers/layered-image.ts";
import type { Side } from "../layers/side.ts";
import { deviceOf, isDevice, isDirectory, isRegular, isSymlink, typeWord } from "./attr.ts";
import type { SizeText } from "./size-text.ts";
import { tableText } from "./table-text.ts";

const HEAD = [" ", "BEFORE", "AFTER", "WHAT", "PATH"];
const RIGHT: ReadonlySet<string> = new Set(["BEFORE", "AFTER"]);

/** A change, and what its name leads to on both sides. */
export interface ShownChange extends Omit<Change, "before" | "after"> {
  /** `/` and names. */
  readonly path: Uint8Array;
  readonly before: Version | undefined;
  readonly after: Version | undefined;
}

/** Looks up what a change is about. */
export function shownChange(before: Side, after: Side, change: Change): ShownChange {
  const [image, node] =
    change.after < 0 ? [before.image, change.before] : ([after.image, change.after] as const);
  return {
    ...change,
    path: image.path(node),
    before: seenOf(before.image, change.before),
    after: seenOf(after.image, change.after),
  };
}

/** A line a change; names stand last, those of directories with a slash. */
export const changesText = (changes: readonly ShownChange[], size: SizeText): string =>
  tableText(
    HEAD,
    changes.map((change) => [
      change.letter,
      sizeCell(change, change.before, size),
      sizeCell(change, change.after, size),
      whatOf(change),
      `${showName(change.path)}${slashOf(change)}`,
    ]),
    RIGHT,
  );

/** Letter and name, as git's `--name-status`. */
export const nameStatusLine = (change: ShownChange): string =>
  `${change.letter}\t${showName(change.path)}${slashOf(change)}\n`;

/** The same for programs: whatever the name is, up to a NUL. */
export const nameStatusRecord = (change: ShownChange): Uint8Array =>
  Buffer.concat([Buffer.from(`${change.letter}\0`), change.path, Buffer.from(`${slashOf(change)}\0`)]);

/** What was found, in numbers; nothing where there is nothing to say. */
export function tallyText(tally: ChangeTally, size: SizeText): string {
  const { added, addedBytes, removed, removedBytes, changed, metadata, type, unread } = tally;
  if (tally.isSame) return "";
  const counts = [
    `${count(added)} added (+${size(addedBytes)})`,
    `${count(removed)} removed (-${size(removedBytes)})`,
    `${count(changed)} changed`,
    `${count(metadata)} only metadata`,
    `${count(type)} type`,
  ];
  const more =
    unread === 0 ? "" : `${count(unread)} have the same size and other times: not read (--data reads them)\n`;
  return `${counts.join(", ")}\n${more}`;
}

/** What is taken for the same without having been read: never in silence. */
export const believedText = ({ believed }: ChangeTally): string | undefined =>
  believed === 0
    ? undefined
    : `${count(believed)} believed to be the same by size and times, or by blob id: not read (--data reads them)`;

function seenOf(image: LayeredImage, node: number): Version | undefined {
  return node < 0 ? undefined : image.of(node).find(({ fate }) => fate === "seen");
}

function sizeCell({ whole }: ShownChange, version: Version | undefined, size: SizeText): string {
  if (version === undefined) return "-";
  if (isDirectory(version)) return whole === undefined ? "-" : size(whole.bytes);
  if (isDevice(version)) return deviceOf(version).join(",");
  return isRegular(version) || isSymlink(version) ? size(version.size) : "-";
}

function whatOf({ letter, before, after, changed, whole }: ShownChange): string {
  if (letter === "T" && before !== undefined && after !== undefined)
    return `${typeWord(before)} to ${typeWord(after)}`;
  if (whole !== undefined) return whole.entries === 1 ? "empty" : `${count(whole.entries)} entries`;
  return changed.join(",") || "-";
}

/** Of a directory, and of nothing that is also something else. */
const slashOf = ({ path, before, after }: ShownChange): string =>
  [before, after].every((version) => version === undefined || isDirectory(version)) && path.length > 1
    ? "/"
    : "";

const count = (n: number): string => String(n).replaceAll(/\B(?=(\d{3})+$)/g, ",");
