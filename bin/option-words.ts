import type { Command, Option } from "commander";
import { messageOf, UsageError } from "../src/bytes/errors.ts";
import { kindOf, splitWords, withoutMount8 } from "../src/mounts/option-words.ts";

/**
 * Options that are none of `-o`: they decide how the command runs, before it is read. `--user` has the name of a word of
 * mount(8).
 */
const NOT_WORDS = new Set(
  "options daemonize foreground no-keeper recover supervisor upgrade user bootstrap mountpoint version help".split(
    " ",
  ),
);

/** `rw=DIR` does not come through mount(8), which takes it for `rw`. */
const OTHER_NAMES: Readonly<Record<string, string>> = { upper: "rw" };

/** What the kernel shows of a mount, and mount(8) gives back with `remount`. */
const SHOWN = /^(user_id|group_id|rootmode|blksize)=/;

/** What to write instead of what other programs know. */
const ADVICE: Readonly<Record<string, string>> = {
  rw: "an image is read-only; upper=DIR, or --rw DIR, keeps changes in DIR",
  nonempty: "force, or --force, mounts over what is there",
  loop: "loop devices are taken where they are needed",
  uid: "owners are those of the image",
  gid: "owners are those of the image",
  umask: "modes are those of the image",
  user: "write --user NAME",
};

/** Of the words after `-o`: what is left for the drivers, and whether mount(8) wants a mount changed. */
export interface ListedWords {
  readonly words: readonly string[];
  readonly isRemount: boolean;
}

/**
 * Sets options that were given as words of `-o`: `ref=app:1.0` is `--ref app:1.0`, `lenient` is `--lenient`; `_` counts as
 * `-`. What is left is for the mount, the kernel's file systems or mount(8).
 *
 * @param isFromMount8 it, or its helper, may have put words there that nobody wrote
 * @throws UsageError naming a word that nobody knows
 */
export function takeWords(command: Command, lists: readonly string[], isFromMount8: boolean): ListedWords {
  const left: string[] = [];
  let isRemount = false;
  for (const list of lists)
    for (const word of isFromMount8 ? withoutDefaults(splitWords(list)) : splitWords(list)) {
      if (isFromMount8 && word === "remount") isRemount = true;
      else if (isFromMount8 && SHOWN.test(word)) continue;
      else if (kindOf(word) !== "other") left.push(word);
      else if (!setOption(command, word)) throw new UsageError(unknown(word));
    }
  return { words: withoutMount8(left), isRemount };
}

/**
 * Without what comes from mount(8) itself: it says `rw` wherever nobody says `ro`; what mounts read-only all the same is
 * fine. And mount.fuse3(8) ends every list with `dev,suid`, but for what is taken away.
 */
function withoutDefaults(words: readonly string[]): string[] {
  const isListed = words[0] === "rw" || words[0] === "ro";
  const own = words[0] === "rw" ? words.slice(1) : [...words];
  for (const last of isListed ? ["suid", "dev"] : []) if (own.at(-1) === last) own.pop();
  return own;
}

/** @returns false when it is none of ours */
function setOption(command: Command, word: string): boolean {
  const cut = word.indexOf("=");
  const written = (cut < 0 ? word : word.slice(0, cut)).replaceAll("_", "-");
  const name = OTHER_NAMES[written] ?? written;
  const option = command.options.find((each) => each.long === `--${name}`);
  if (option === undefined || option.hidden || NOT_WORDS.has(name)) return false;
  const value = cut < 0 ? undefined : word.slice(cut + 1);
  if (option.required && value === undefined) {
    if (name === "rw") return false;
    throw new UsageError(`-o ${word}: want ${name}=VALUE, as ${option.flags} says`);
  }
  if (!option.required && value !== undefined) throw new UsageError(`-o ${word}: ${name} has no value`);
  const key = option.attributeName();
  command.setOptionValueWithSource(key, parsed(option, word, value, command.getOptionValue(key)), "cli");
  return true;
}

function parsed(option: Option, word: string, value: string | undefined, before: unknown): unknown {
  if (value === undefined) return !option.negate;
  try {
    return option.parseArg === undefined ? value : option.parseArg(value, before as never);
  } catch (error) {
    throw new UsageError(`-o ${word}: ${messageOf(error)}`);
  }
}

function unknown(word: string): string {
  const advice = ADVICE[word.split("=")[0] ?? ""];
  return advice === undefined
    ? `-o ${word}: neither mount(8) nor FUSE, EROFS or nydusd-ts has such a word; nydusd-ts mount --help lists options`
    : `-o ${word}: ${advice}`;
}
