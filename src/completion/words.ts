/** What may stand behind an option, or as an argument. */
export type Value = "file" | "dir" | "none" | readonly string[];

export interface OptionWords {
  /** `-B`, `--bootstrap`: each of them is the option. */
  readonly names: readonly string[];
  readonly about: string;
  /** undefined: it takes none. */
  readonly value: Value | undefined;
}

/** A command, as a shell completes it. */
export interface CommandWords {
  readonly name: string;
  readonly about: string;
  /** Those of the commands above that count here, too. */
  readonly options: readonly OptionWords[];
  readonly commands: readonly CommandWords[];
  /** By position; the last one counts for all that follow when `isVariadic`. */
  readonly args: readonly Value[];
  readonly isVariadic: boolean;
}

/** A command with its words from the program's name on: `nydusd-ts cache ls`. */
export interface Placed {
  readonly at: string;
  readonly command: CommandWords;
}

/** All commands of a program, itself first. */
export const placed = (command: CommandWords, above = ""): Placed[] => {
  const at = above === "" ? command.name : `${above} ${command.name}`;
  return [{ at, command }, ...command.commands.flatMap((each) => placed(each, at))];
};

/** What `case` tells apart: a command and its option, or a command and the number of an argument. */
export interface ValuePattern {
  readonly text: string;
  /** And whatever follows. */
  readonly isPrefix: boolean;
  readonly value: Value;
}

export const optionValues = (all: readonly Placed[]): ValuePattern[] =>
  all.flatMap(({ at, command }) =>
    command.options.flatMap(({ names, value }) =>
      value === undefined ? [] : names.map((name) => ({ text: `${at} ${name}`, isPrefix: false, value })),
    ),
  );

export const argumentValues = (all: readonly Placed[]): ValuePattern[] =>
  all.flatMap(({ at, command: { args, isVariadic } }) =>
    args.map((value, i) => {
      const isPrefix = isVariadic && i === args.length - 1;
      return { text: isPrefix ? `${at}:` : `${at}:${i}`, isPrefix, value };
    }),
  );

/** As bash and zsh have it. */
export const patternOf = ({ text, isPrefix }: ValuePattern): string =>
  isPrefix ? `${quoted(text)}*` : quoted(text);

/** A word or two, where a line is all there is. */
export const brief = (about: string): string => about.split(/[:;,] | \(/, 1)[0] ?? "";

/** `file`, or `words a b`: what a shell's function prints of a value. */
export const valueText = (value: Value): string =>
  typeof value === "string" ? value : ["words", ...value].join(" ");

/** For all three shells, which agree on texts without backslash and quote. */
export const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, "’")}'`;

/** The name of a program's function. */
export const functionOf = (program: string): string => `_${program.replaceAll("-", "_")}`;
