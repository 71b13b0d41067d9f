import { S_IFMT, S_IFREG } from "../bytes/errno.ts";
import { DOT, showName } from "../bytes/name.ts";
import type { KindOf, KindUsage } from "../layers/usage.ts";
import { typeWord } from "./attr.ts";
import { nameField } from "./name-field.ts";
import type { SizeText } from "./size-text.ts";
import { tableText } from "./table-text.ts";

/** What `du --by` takes besides directories and layers. */
export const KINDS: Readonly<Record<"ext" | "owner" | "type", KindOf>> = {
  ext: (tree, node, inode) => {
    if (((tree.mode[inode] as number) & S_IFMT) !== S_IFREG) return undefined;
    const name = tree.name(node);
    const dot = name.lastIndexOf(DOT);
    return dot > 0 ? Buffer.from(name).toString("latin1", dot) : "";
  },
  owner: (tree, _, inode) => `${tree.uid[inode]}:${tree.gid[inode]}`,
  type: (tree, _, inode) => typeWord({ mode: tree.mode[inode] as number }),
};

/** A line a kind, the largest first. */
export function kindsText(
  by: keyof typeof KINDS,
  usage: readonly KindUsage[],
  size: SizeText,
  lines: number,
): string {
  const cell = (n: number, text: SizeText) => (n === 0 ? "-" : text(n));
  const rows = largestFirst(usage, lines).map(({ kind, seen, hidden, entries }) => [
    ...[cell(seen, size), cell(hidden, size), cell(entries, String)],
    kind === "" ? "-" : showName(Buffer.from(kind, "latin1")),
  ]);
  return tableText(
    ["SEEN", "HIDDEN", "ENTRIES", by.toUpperCase()],
    rows,
    new Set(["SEEN", "HIDDEN", "ENTRIES"]),
  );
}

/** A record a kind, the largest first. */
export const kindRecords = (by: keyof typeof KINDS, usage: readonly KindUsage[], lines: number): object[] =>
  largestFirst(usage, lines).map(({ kind, seen, hidden, entries }) => ({
    ...{ by, ...nameField(by, Buffer.from(kind, "latin1")), seen, hidden, entries },
  }));

const largestFirst = (usage: readonly KindUsage[], lines: number): KindUsage[] =>
  [...usage]
    .sort(
      (a, b) => b.seen - a.seen || b.hidden - a.hidden || b.entries - a.entries || (a.kind < b.kind ? -1 : 1),
    )
    .slice(0, lines);
