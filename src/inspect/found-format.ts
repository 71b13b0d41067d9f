import { showName, SLASH } from "../bytes/name.ts";
import { UsageError } from "../bytes/errors.ts";
import type { Rows } from "../find/rows.ts";
import { bytesOf } from "../bytes/any-bytes.ts";
import { letterOf, modeText } from "./attr.ts";

/** A part of a line; names are bytes. */
type Part = (rows: Rows, row: number) => string | Uint8Array;

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ...[..."abfnrtv"].map((letter, i) => [letter, "\x07\b\f\n\r\t\v"[i] as string] as const),
  ["\\", "\\"],
]);

const octal = (n: number): string => n.toString(8);

const number = (n: number): string => (Number.isNaN(n) ? "-" : String(n));

/** By letter, those of find(1) where it has them; users and groups are numbers, for names are the image's own. */
const DIRECTIVES: ReadonlyMap<string, Part> = new Map<string, Part>([
  ["%", () => "%"],
  ["p", (rows, row) => rows.path(row)],
  ["f", (rows, row) => rows.name(row)],
  ["h", (rows, row) => directoryOf(rows.path(row))],
  ["s", (rows, row) => String(rows.size(row) || 0)],
  ["m", (rows, row) => octal(rows.mode(row) & 0o7777)],
  ["M", (rows, row) => modeText({ mode: rows.mode(row) })],
  ["y", (rows, row) => letterOf({ mode: rows.mode(row) })],
  ...["u", "U"].map((letter) => [letter, (rows, row) => number(rows.uid(row))] as [string, Part]),
  ...["g", "G"].map((letter) => [letter, (rows, row) => number(rows.gid(row))] as [string, Part]),
  ["T@", (rows, row) => `${rows.mtime(row)}.${String(rows.mtimeNsec(row)).padStart(9, "0")}0`],
  ["l", (rows, row) => rows.target(row) ?? ""],
  ["L", (rows, row) => (rows.image.layers.length === 0 ? "-" : String(rows.layer(row)))],
  ["O", (rows, row) => String(firstPiece(rows, row)?.dataAt ?? "-")],
  ["B", (rows, row) => firstPiece(rows, row)?.blobId ?? "-"],
]);

/** A line's format, as that of `find -printf`; names are as they are when there is a NUL in it, else shown. */
export class FoundFormat {
  private readonly parts: readonly (Uint8Array | Part)[];
  private readonly isRaw: boolean;

  /** @throws UsageError naming what is none */
  constructor(format: string) {
    const parts: (Uint8Array | Part)[] = [];
    let isRaw = false;
    for (const [piece, escaped, octals, directive] of format.matchAll(
      /\\(?:([^0-7])|([0-7]{1,3}))|%(T@|[\s\S]?)|[^\\%]+|\\/g,
    )) {
      if (directive !== undefined) {
        const part = DIRECTIVES.get(directive);
        if (part === undefined) throw unknown(piece);
        parts.push(part);
        continue;
      }
      const text =
        octals === undefined
          ? bytesOf(escapeOf(piece, escaped))
          : Uint8Array.of(Number.parseInt(octals, 8) & 0xff);
      isRaw ||= text.includes(0);
      parts.push(text);
    }
    this.parts = parts;
    this.isRaw = isRaw;
  }

  line(rows: Rows, row: number): Uint8Array {
    return Buffer.concat(
      this.parts.map((part) => {
        if (typeof part !== "function") return part;
        const said = part(rows, row);
        if (typeof said === "string") return Buffer.from(said);
        return this.isRaw ? said : Buffer.from(showName(said));
      }),
    );
  }
}

function escapeOf(piece: string, letter: string | undefined): string {
  if (letter === undefined && piece !== "\\") return piece;
  const text = ESCAPES.get(letter ?? "");
  if (text === undefined) throw unknown(piece);
  return text;
}

const unknown = (piece: string) =>
  new UsageError(
    `--printf: ${piece} has no meaning; want %${[...DIRECTIVES.keys()].join(" %")}, or an escape as find(1) has it`,
  );

const firstPiece = (rows: Rows, row: number) =>
  row < rows.versions ? rows.image.version(row).pieces[0] : undefined;

/** What is in front of the last slash: nothing of what is in the root, as find(1) has it. */
const directoryOf = (path: Uint8Array): Uint8Array => path.subarray(0, path.lastIndexOf(SLASH));
