import { Option } from "commander";
import { UsageError } from "../src/bytes/errors.ts";
import type { Given } from "./given.ts";
import { MOUNT_OPTIONS, type MountOption, SOURCE_OPTIONS } from "./mount-options.ts";

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
  for (const { flags, needs = [], against = [], wants, idle, forDirect } of [
    ...MOUNT_OPTIONS,
    ...SOURCE_OPTIONS,
  ]) {
    const name = nameOf(flags);
    if (!given.has(name)) continue;
    if (!needs.every((each) => given.has(each)))
      throw new UsageError(`${name} has no meaning without ${needs.join(" and ")}`);
    for (const { with: other, why, unless } of against) {
      if (!isGiven(given, other) || (unless !== undefined && isGiven(given, unless))) continue;
      throw new UsageError(
        why === undefined
          ? `${name} has no meaning with ${other}`
          : `${name} ${why}: it cannot be used with ${asGiven(given, other)}`,
      );
    }
    if (wants !== undefined && !given.has(wants)) warnings.push(`${name} has no effect without ${wants}`);
    if (idle !== undefined && isGiven(given, name + (idle.value ?? "")) && isGiven(given, idle.with))
      warnings.push(`${name}${idle.value ?? ""} has no effect with ${idle.with}: ${idle.why}`);
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

/** @param what an option, or one and its value, which a star may end */
function isGiven(given: Given, what: string): boolean {
  const [name = "", value] = what.split(" ");
  if (!given.has(name) || value === undefined) return given.has(name);
  const is = `${given.get(name)}`;
  return value.endsWith("*") ? is.startsWith(value.slice(0, -1)) : is === value;
}

/** `--driver erofs*` as it was written. */
function asGiven(given: Given, what: string): string {
  const [name = ""] = what.split(" ");
  return what.endsWith("*") ? `${name} ${given.get(name)}` : what;
}
