import { type AccessPattern, type Events, FOPS, type FilesStats, type FsStats } from "../api/shapes.ts";
import type { InflightRequest, ReadRanges } from "../api/shapes.ts";
import { columns } from "../bytes/columns.ts";
import { escapeControlChars, shown } from "../bytes/escape-control-chars.ts";
import { opName } from "../vfs/opcodes.ts";

/** What nydusctl does not have, as tables for people; a name with control characters is no more than a name. */

type Cell = string | number;

/** Columns as wide as their cells, numbers to the right; the last one is as long as it likes. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = rows.map((row) => row.map((cell) => shown(`${cell}`)));
  const isRight = head.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number"));
  return columns([head, ...cells], isRight)
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

const hits = (counts: readonly number[], name: (typeof FOPS)[number]): number =>
  counts[FOPS.indexOf(name)] ?? 0;
const sum = (counts: readonly number[]): number => counts.reduce((total, n) => total + n, 0);
const timeOf = (seconds: number): string => new Date(1000 * seconds).toISOString();

export function eventsText({ total_errors, errors }: Events): string {
  if (errors.length === 0) return "nothing went wrong\n";
  const kept = errors.length < total_errors ? `, the last ${errors.length} of them` : "";
  return `${shown(`${total_errors}`)} errors and warnings${kept}:\n${errors.map((each) => `  ${escapeControlChars(`${each}`)}\n`).join("")}`;
}

/** @param now seconds */
export function inflightText(requests: readonly InflightRequest[], now = Date.now() / 1000): string {
  if (requests.length === 0) return "no request is being answered\n";
  const rows = [...requests]
    .sort((a, b) => a.timestamp_secs - b.timestamp_secs)
    .map(({ unique, opcode, inode, timestamp_secs }) => [
      ...[Math.max(0, Math.floor(now - timestamp_secs)), opName(opcode), inode, unique],
    ]);
  return table(["SECONDS", "OPERATION", "INODE", "REQUEST"], rows);
}

export function patternText(files: readonly AccessPattern[]): string {
  if (files.length === 0) return "no file was read, or that is not recorded (the daemon's --file-stats)\n";
  const rows = files.map((file) => {
    const first = timeOf(file.first_access_time_secs + file.first_access_time_nanos / 1e9);
    return [first, file.nr_read, file.ino, file.blob ?? "-", file.path ?? "-"]; // nydusd has neither
  });
  return table(["FIRST READ", "READS", "INODE", "TAR", "PATH"], rows);
}

export function filesText(files: FilesStats): string {
  const all = Object.entries(files);
  if (all.length === 0)
    return "no file was asked about, or that is not counted (the daemon's --file-stats)\n";
  const rows = all
    .sort(([, a], [, b]) => b.data_read - a.data_read || b.total_fops - a.total_fops)
    .map(([inode, { total_fops, data_read, fop_hits, fop_errors }]) => [
      ...[
        Number(inode),
        data_read,
        hits(fop_hits, "read"),
        hits(fop_hits, "open"),
        total_fops,
        sum(fop_errors),
      ],
    ]);
  return table(["INODE", "BYTES READ", "READS", "OPENS", "REQUESTS", "ERRORS"], rows);
}

export function latestText(ranges: ReadRanges): string {
  if (ranges.length === 0) return "no file was read since this was asked last, or that is not recorded\n";
  return table(
    ["FIRST INODE", "LAST INODE"],
    ranges.map(([first = 0, last = first]) => [first, last]),
  );
}

const RATES = ["TIME", "READS/S", "MIB/S", "OPENS/S", "LOOKUPS/S", "GETATTRS/S", "ERRORS"] as const;
/** Wide enough for what a machine does, so that rows that come one by one stand below one another. */
const RATE_WIDTH = 10;
const rateLine = (cells: readonly string[]): string =>
  `${cells.map((cell, i) => (i === 0 ? cell.padEnd(8) : cell.padStart(RATE_WIDTH))).join(" ")}\n`;

export const ratesHead = (): string => rateLine(RATES);

/** What happened between two looks. */
export function ratesText(from: FsStats, to: FsStats, seconds: number, time: Date): string {
  const rate = (name: (typeof FOPS)[number]) =>
    Math.round((hits(to.fop_hits, name) - hits(from.fop_hits, name)) / seconds).toString();
  const mib = (to.data_read - from.data_read) / seconds / 2 ** 20;
  const errors = sum(to.fop_errors) - sum(from.fop_errors);
  return rateLine([
    time.toISOString().slice(11, 19),
    ...[rate("read"), mib.toFixed(1), rate("open"), rate("lookup"), rate("getattr"), `${errors}`],
  ]);
}
