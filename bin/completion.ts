import { Argument, type Command, type Option } from "commander";
import { LEVELS } from "../src/log/log-line.ts";
import type { CommandWords, OptionWords, Value } from "../src/completion/words.ts";
import { writeExactly } from "./say.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

/** What the word in `<…>` of an option or argument says of its value. */
const PLACES: readonly (readonly [Value, RegExp])[] = [
  [[...LEVELS, "off"], /^level$/],
  ["dir", /^(dir|upper)$/],
  ["file", /^(file|path|socket|tar|bootstraps?|layer|image|other|source)$/],
];
/** The commands that are meant where none is named. */
const UNNAMED: Readonly<Record<string, string>> = { "nydusd-ts": "fuse" };

/** `completion <shell>`: the script that completes this program's words, made from its definitions. */
export function addCompletion(program: Command): void {
  program
    .command("completion")
    .description("print the script that completes words of this program in a shell")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  source <(${program.name()} completion bash)                 in ~/.bashrc
  ${program.name()} completion zsh > "\${fpath[1]}/_${program.name()}"
  ${program.name()} completion fish > ~/.config/fish/completions/${program.name()}.fish`,
    )
    .action(async (shell: Shell) => {
      writeExactly(await completionScript(programWords(program), shell));
    });
}

/** Loaded only when it is asked for. */
async function completionScript(words: CommandWords, shell: Shell): Promise<string> {
  if (shell === "bash") return (await import("../src/completion/bash.ts")).bashCompletion(words);
  if (shell === "zsh") return (await import("../src/completion/zsh.ts")).zshCompletion(words);
  return (await import("../src/completion/fish.ts")).fishCompletion(words);
}

/** A program, as a shell completes it. */
export const programWords = (program: Command): CommandWords => wordsOf(program, [], UNNAMED[program.name()]);

/** @param above options of the program, which count behind its commands, too */
function wordsOf(command: Command, above: readonly OptionWords[], unnamed?: string): CommandWords {
  const help = command.createHelp();
  const own = help.visibleOptions(command).map(optionWords);
  const handed = above.length > 0 ? above : own.filter(({ names }) => !names.includes("--version"));
  const inherited = above.filter(
    ({ names }) => !own.some((each) => each.names.some((n) => names.includes(n))),
  );
  const below = help.visibleCommands(command).filter((each) => each.name() !== "help");
  const commands = below.map((each) => wordsOf(each, handed));
  const meant = commands.find(({ name }) => name === unnamed);
  const names = new Set(own.flatMap((option) => option.names));
  return {
    name: command.name(),
    about: help.subcommandDescription(command),
    options: [
      ...own,
      ...inherited,
      ...(meant?.options ?? []).filter((option) => !option.names.some((name) => names.has(name))),
    ],
    commands,
    args: meant === undefined ? command.registeredArguments.map(argumentWords) : ["file"],
    isVariadic: meant !== undefined || command.registeredArguments.at(-1)?.variadic === true,
  };
}

const argumentWords = (argument: Argument): Value => argument.argChoices ?? placeOf(argument.name());

function optionWords(option: Option): OptionWords {
  const { short, long, description, argChoices, flags, required, optional } = option;
  const [, word = ""] = /[<[]([^>\]]*?)(?:\.\.\.)?[>\]]/.exec(flags) ?? [];
  return {
    names: [short, long].filter((name) => name !== undefined),
    about: description,
    value: required || optional ? (argChoices ?? placeOf(word)) : undefined,
  };
}

const placeOf = (word: string): Value => PLACES.find(([, pattern]) => pattern.test(word))?.[0] ?? "none";
