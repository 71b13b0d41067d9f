import { type Command, Option } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import { MOUNT_OPTIONS, type MountOption } from "./mount-options.ts";

/** Options that are on the command line, by their long names, and their values. */
export type Given = ReadonlyMap<string, unknown>;

/** What was given, whether or not it is what would be without. */
export const givenOptions = (command: Command): Given =>
  new Map(
    command.options
      .filter((option) => command.getOptionValueSource(option.attributeName()) === "cli")
      .map((option) => [option.long ?? "", command.getOptionValue(option.attributeName())]),
  );

/**
 * Nothing that is given is ignored in silence.
 *
 * @param isNative whether fuse-native would serve the mount
 * @returns warnings, for what has no effect and may stand there all the same
 * @throws UsageError for what contradicts something else, or has no effect
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one rule after the other, none within another
export function checkGiven(given: Given, isNative: boolean): string[] {
  const warnings: string[] = [];
  for (const { flags, needs = [], against = [], wants, forDirect } of MOUNT_OPTIONS) {
    const name = nameOf(flags);
    if (!given.has(name)) continue;
    if (!needs.every((each) => given.has(each)))
      throw new UsageError(`${name} has no meaning without ${needs.join(" and ")}`);
    for (const { with: other, why, unless } of against) {
      if (!isGiven(given, other) || (unless !== undefined && isGiven(given, unless))) continue;
      throw new UsageError(
        why === undefined
          ? `${name} has no meaning with ${other}`
          : `${name} ${why}: it cannot be used with ${other}`,
      );
    }
    if (wants !== undefined && !given.has(wants)) warnings.push(`${name} has no effect without ${wants}`);
    if (forDirect && isNative) warnings.push(`${name} has no effect with fuse-native`);
  }
  return warnings;
}

/** Options that were given and steer a process that serves. */
export const givenForDaemon = (given: Given): string[] =>
  MOUNT_OPTIONS.filter(({ forDaemon, flags }) => forDaemon && given.has(nameOf(flags))).map(({ flags }) =>
    nameOf(flags),
  );

/** `-D, --localfs-dir <dir>` is `--localfs-dir`. */
export const nameOf = (flags: MountOption["flags"]): string => new Option(flags).long ?? "";

/** @param what an option, or one and its value */
function isGiven(given: Given, what: string): boolean {
  const [name = "", value] = what.split(" ");
  return given.has(name) && (value === undefined || given.get(name) === value);
}
