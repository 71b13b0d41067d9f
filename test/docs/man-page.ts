import { type Described, flatten, type Item, ownOptions } from "./programs.ts";

/** A section of docs/interfaces.md that belongs on a page: its title there, and the columns of its table. */
export interface Rows {
  readonly title: string;
  readonly items: readonly Item[];
}

export interface Manual {
  readonly section: number;
  readonly version: string;
  readonly rows: readonly Rows[];
  readonly seeAlso: readonly string[];
}

/** Text for roff: nothing in it is a request, and a dash is one that can be copied. */
const text = (words: string): string =>
  words
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^[.']/gm, "\\&$&")
    .replace(/\P{ASCII}/gu, (c) => `\\[u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
const bold = (words: string): string => `\\fB${text(words)}\\fR`;

const items = (list: readonly Item[]): string[] =>
  list.flatMap(({ term, about }) => [".TP", bold(term), text(about === "" ? term : about)]);

function commandSection(command: Described, before: readonly Described[]): string[] {
  const { own, as } = ownOptions(command, before);
  return [
    `.SS ${bold(command.name)}`,
    bold(command.usage),
    ...(command.about === "" ? [] : [".PP", `${text(command.about)}.`]),
    ...items(command.items.filter(({ about }) => about !== "")),
    ...items(own),
    ...(as === undefined ? [] : [".PP", `And all options of ${bold(as.name)}.`]),
  ];
}

/** A man page of a program and its commands. */
export function manPage(program: Described, { section, version, rows, seeAlso }: Manual): string {
  const all = flatten(program);
  const below = all.slice(1).filter(({ commands }) => commands.length === 0);
  const examples = all.flatMap((command) => command.examples);
  const lines = [
    `.\\" Generated from bin/ and docs/interfaces.md by "npm run docs".`,
    `.TH ${program.name.toUpperCase()} ${section} "" "nydusd-ts ${version}" "nydusd-ts"`,
    ".SH NAME",
    `${text(program.name)} \\- ${text(program.about)}`,
    ".SH SYNOPSIS",
    ...below.flatMap((command, i) => [...(i === 0 ? [] : [".br"]), bold(command.usage)]),
    ".SH DESCRIPTION",
    `${text(program.about.charAt(0).toUpperCase() + program.about.slice(1))}.`,
    ...items(program.options),
    ".SH COMMANDS",
    ...below.flatMap((command, i) => commandSection(command, below.slice(0, i))),
    ...rows.flatMap(({ title, items: list }) => [`.SH ${title.toUpperCase()}`, ...items(list)]),
    ...(examples.length === 0 ? [] : [".SH EXAMPLES", ".nf", ...examples.map(text), ".fi"]),
    ".SH SEE ALSO",
    seeAlso.join(",\n"),
  ];
  return `${lines.join("\n")}\n`;
}
