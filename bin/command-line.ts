import { existsSync } from "node:fs";
import type { Command } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import { suggestion } from "./suggest.ts";

/** What was written, as commander is to have it. */
export interface CommandLine {
  readonly args: readonly string[];
  /** `nydusd-ts IMAGE DIR`: the form in which mount.fuse3(8) calls programs. */
  readonly isPlain: boolean;
}

/**
 * Two arguments without a command are `mount`; options alone are nydusd's form.
 *
 * @throws UsageError for a word that is neither a command nor anything to mount
 */
export function commandLine(program: Command, args: readonly string[]): CommandLine {
  const known = [...program.commands.map((command) => command.name()), "help"];
  const [first] = args;
  if (first === undefined || known.includes(first)) return { args, isPlain: false };
  const [source, dir] = plainWords(program, args);
  if (source === undefined) return { args, isPlain: false };
  if (dir !== undefined && isSource(source)) return { args: ["mount", ...args], isPlain: true };
  if (first.startsWith("-")) {
    const isOfProgram = program.options.some(({ short, long }) => short === first || long === first);
    if (known.includes(source) && !isOfProgram)
      throw new UsageError(
        `${first}: options stand behind the command: ${program.name()} ${source} ${first}`,
      );
    return { args, isPlain: false }; // commander says what is wrong with it
  }
  const meant = suggestion(first, known);
  throw new UsageError(
    `unknown command "${first}": ${meant === undefined ? `want ${known.join(", ")}` : `did you mean ${meant}?`}`,
  );
}

/** Arguments that are neither options nor their values. */
function plainWords(program: Command, args: readonly string[]): string[] {
  const withValue = new Set(
    program.commands.flatMap(({ options }) =>
      options.filter(({ required }) => required).flatMap(({ short, long }) => [short, long]),
    ),
  );
  const plain: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") return [...plain, ...args.slice(at + 1)];
    if (arg === "-" || !arg.startsWith("-")) plain.push(arg);
    else if (withValue.has(arg)) at++;
  }
  return plain;
}

/** A file, or what looks like one or like a name with a tag: a mistyped command does not. */
const isSource = (word: string): boolean => word === "-" || /[/:.]/.test(word) || existsSync(word);
