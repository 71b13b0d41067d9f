import type { Command } from "commander";

/** Options that are on the command line, by their long names, and their values. */
export type Given = ReadonlyMap<string, unknown>;

/** What was given, whether or not it is what would be without. */
export const givenOptions = (command: Command): Given =>
  new Map(
    command.options
      .filter((option) => command.getOptionValueSource(option.attributeName()) === "cli")
      .map((option) => [option.long ?? "", command.getOptionValue(option.attributeName())]),
  );
