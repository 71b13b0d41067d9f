import type { EventEmitter } from "node:events";
import { Command, type Option } from "commander";
import { vi } from "vitest";
import { defaultStateDir } from "../../src/handover/state-dir.ts";
import { programWords } from "../../bin/completion.ts";
import type { CommandWords } from "../../src/completion/words.ts";
import { cacheDirectory } from "../../src/bytes/user-directories.ts";

/** A command as its definition in bin/ has it. */
export interface Described {
  /** `nydusd-ts cache ls` */
  readonly name: string;
  readonly about: string;
  readonly usage: string;
  readonly items: readonly Item[];
  /** Options that each command has, or that another one has, are not repeated there. */
  readonly options: readonly Item[];
  readonly examples: readonly string[];
  readonly commands: readonly Described[];
}

/** An argument or an option. */
export interface Item {
  readonly term: string;
  readonly about: string;
}

/** What a default depends on is shown as root has it. */
const asRoot = (text: string): string =>
  text
    .replaceAll(cacheDirectory(), "~/.cache/nydusd-ts")
    .replaceAll(defaultStateDir(), "/run/nydusd-ts")
    .replace(/ \(default: (?:false|\[\])\)$/, "");

/** What the commands of bin/ give to commander. */
export const programs = async (): Promise<Described[]> =>
  (await definitions()).map((program) => describeCommand(program, []));

/** The same as shells complete it. */
export const commandWords = async (): Promise<CommandWords[]> =>
  (await definitions()).map((program) => programWords(program));

/** commander parses nothing meanwhile. */
export async function definitions(): Promise<Command[]> {
  const found: Command[] = [];
  const parse = vi.spyOn(Command.prototype, "parseAsync").mockImplementation(async function (this: Command) {
    found.push(this);
    return this;
  });
  const { argv } = process;
  process.argv = [...argv.slice(0, 2), "--words"]; // no command that is looked for
  try {
    await import("../../bin/nydusd-ts.ts");
    await import("../../bin/nydus-image-ts.ts");
    await import("../../bin/nydusctl-ts.ts");
    await import("../../bin/nydus-snapshotter-ts.ts");
  } finally {
    parse.mockRestore();
    process.argv = argv;
  }
  return found;
}

function describeCommand(command: Command, parents: readonly string[]): Described {
  const help = command.createHelp();
  const path = [...parents, command.name()];
  const commands = command.commands.filter((each) => each.name() !== "help");
  const item = (option: Option): Item => ({
    term: help.optionTerm(option),
    about: `${asRoot(help.optionDescription(option))}${option.mandatory ? " (required)" : ""}`,
  });
  return {
    name: path.join(" "),
    about: command.description(),
    usage: help.commandUsage(command),
    items: command.registeredArguments.map((argument) => ({
      term: help.argumentTerm(argument),
      about: help.argumentDescription(argument),
    })),
    options: help
      .visibleOptions(command)
      .filter(({ long }) => long !== "--help")
      .map(item),
    examples: examplesOf(command),
    commands: commands.map((each) => describeCommand(each, path)),
  };
}

/** What `--help` says behind the options. */
function examplesOf(command: Command): string[] {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  (command as unknown as EventEmitter).emit("afterHelp", { error: false, command, write });
  const [, examples = ""] = text.split(/Examples?:\n/);
  return (examples.split("\n\n", 1)[0] ?? "")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.trim());
}

/** The command and all below it. */
export const flatten = (command: Described): Described[] => [command, ...command.commands.flatMap(flatten)];

/** Options of a command that are none of another's, which comes before it and has most of them, and that one. */
export function ownOptions(
  command: Described,
  before: readonly Described[],
): { own: readonly Item[]; as?: Described } {
  const isShared = ({ term, about }: Item, of: Described) =>
    of.options.some((each) => each.term === term && each.about === about);
  const as = before.find((each) => each.options.filter((option) => isShared(option, command)).length > 10);
  if (as === undefined) return { own: command.options };
  return { own: command.options.filter((option) => !isShared(option, as)), as };
}
