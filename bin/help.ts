import type { Command } from "commander";
import { shown } from "../src/bytes/escape-control-chars.ts";
import type { Level } from "../src/log/log-line.ts";
import { explainUsage } from "./explain-usage.ts";
import { complain } from "./say.ts";

/** Styles of a terminal: on and off. */
const BOLD = [1, 22] as const;
const CYAN = [36, 39] as const;
const RED = [31, 39] as const;
const YELLOW = [33, 39] as const;

const styled =
  ([on, off]: readonly [number, number]) =>
  (text: string): string =>
    `\u001b[${on}m${text}\u001b[${off}m`;

/** For standard error. Node knows what a terminal can, and NO_COLOR. */
const onTerminal =
  (style: (text: string) => string) =>
  (text: string): string =>
    process.stderr.isTTY && process.stderr.hasColors() ? style(text) : text;

/** The words that an error, a warning begin with. */
export const errorWord = onTerminal(styled(RED));
const warningWord = onTerminal(styled(YELLOW));

let hasWarnings = true;

/** A level of the log that is below warnings takes them away from standard error, too. */
export const warnFrom = (level: Level | undefined): void => {
  hasWarnings = level !== "error";
};

export const warn = (message: string): void => {
  if (!hasWarnings) return;
  complain(warningWord("warning:"), message);
};

/**
 * Colours of the help, which commander takes away where there is no terminal or NO_COLOR says so; for commands below, too.
 *
 * @param showGlobalOptions those of the program are shown with each command
 */
export const withHelpStyle = (program: Command, showGlobalOptions = false): Command =>
  program
    .configureHelp({
      showGlobalOptions,
      styleTitle: styled(BOLD),
      styleCommandText: styled(BOLD),
      styleSubcommandText: styled(CYAN),
      styleOptionText: styled(CYAN),
    })
    .configureOutput({
      outputError: (text, write) =>
        write(inLines(explainUsage(program, text)).replace(/^Error:/, (word) => errorWord(word))),
    });

/** What commander says, as one line, for words of the command line are in it; its guess, of our words only, is another. */
function inLines(text: string): string {
  const guess = /\n\(Did you mean [-\w, ]+\?\)\n$/.exec(text)?.[0] ?? "\n";
  return shown(text.slice(0, -guess.length)) + guess;
}

/** Examples behind a command's own options. */
export const withExamples = (command: Command, ...lines: readonly string[]): Command =>
  command.addHelpText("after", `\n${lines.length > 1 ? "Examples" : "Example"}:\n  ${lines.join("\n  ")}`);
