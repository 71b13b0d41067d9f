import { existsSync } from "node:fs";
import type { Command } from "commander";

const MOST_COMMANDS = 4;

/**
 * What commander says is wrong with a command line, and what was meant, as far as it can be known: an option of another
 * command, a file whose name begins with a dash, a command.
 *
 * @param text one line, as commander ends it
 */
export function explainUsage(program: Command, text: string): string {
  const cure = cureOf(program, text.trimEnd());
  return (cure === undefined ? text : `${text.trimEnd().replace(/\.$/, "")}; ${cure}\n`).replace(
    /^error:/,
    "Error:",
  );
}

function cureOf(program: Command, text: string): string | undefined {
  const [, option] = /^error: unknown option '([^']+)'$/.exec(text) ?? [];
  const [, short = "", value = ""] = /^error: option '(-\w), .*' argument '(.*)' is invalid/.exec(text) ?? [];
  const word = option ?? short + value;
  if (word !== "" && existsSync(word)) return `the file of that name is ./${word}`;
  if (option !== undefined) return placeOfOption(program, option);
  return /^error: unknown command '[^']*'$/.test(text)
    ? `want ${asked(program)
        .commands.map((each) => each.name())
        .join(", ")}`
    : undefined;
}

/** The command that the line is about: `cache` of `cache rm`. */
function asked(program: Command): Command {
  let command = program;
  for (const word of process.argv.slice(2))
    command = command.commands.find((each) => each.name() === word) ?? command;
  return command;
}

/** Where an option that is of another command stands. */
function placeOfOption(program: Command, option: string): string | undefined {
  const name = option.split("=")[0] ?? "";
  const paths = pathsWith(program, name, []);
  if (paths.length === 0) return undefined;
  const more = paths.length > MOST_COMMANDS ? " …" : "";
  return `it is an option of ${paths.slice(0, MOST_COMMANDS).join(", ")}${more}, and stands behind such a command`;
}

/** Commands that have an option, as they are written. */
function pathsWith(command: Command, name: string, above: readonly string[]): string[] {
  const below = command.commands.flatMap((each) => pathsWith(each, name, [...above, each.name()]));
  const hasIt = command.options.some(
    ({ short, long, hidden }) => !hidden && (short === name || long === name),
  );
  return hasIt && above.length > 0 ? [above.join(" "), ...below] : below;
}
