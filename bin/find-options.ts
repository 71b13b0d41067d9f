import { type Command, Option } from "commander";
import { givenOptions } from "./given.ts";
import { collect } from "./parse-values.ts";

/** What each predicate takes, and what it is of; those of find(1) first. Each may be given several times, and all must hold. */
const VALUES: readonly (readonly [flags: string, about: string])[] = [
  ["--name <glob>", "the last name of the path is like this"],
  ["--iname <glob>", "the same, capitals or not"],
  ["--path <glob>", "the whole path is like this; * takes slashes, too"],
  ["--regex <regex>", "the whole path is like this regular expression of JavaScript"],
  ["--type <letters>", "f, d, l, b, c, p or s, as find has them"],
  ["--size <size>", "of files and symlinks: +10M, -4k, 100c, rounded up to the unit as find does"],
  ["--perm <mode>", "755: just these bits; -4000: all of them; /022: any of them"],
  ["--uid <number>", "who owns it, +N and -N as well"],
  ["--gid <number>", "which group owns it, +N and -N as well"],
  ["--newer <date>", "changed later: 2026-11-30, 2026-11-30T12:00:00Z, @1700000000"],
  ["--mtime <days>", "changed so many whole days ago; +7 is more, -7 less"],
  ["--links <number>", "has so many names, +N and -N as well"],
  ["--lname <glob>", "a symlink, whose target is like this"],
  ["--layer <number>", "from this layer, counted from 1, the lowest"],
  ["--in-tar <blob@offset>", "has this byte of the tar whose id begins so, seen or hidden"],
  ["--xattr <glob>", "has an extended attribute of such a name"],
  ["--touched-by <trace>", "a file that a start has read, as --trace wrote it down"],
  ["--not-touched-by <trace>", "a file that it has not read"],
];
const FLAGS: readonly (readonly [flags: string, about: string])[] = [
  ["--empty", "a file without bytes, a directory without names"],
  ["--dangling", "a symlink that leads to nothing in the image"],
  ["--secret", "named as keys and passwords are, seen or hidden; nothing is read"],
];
/** Their value stands behind `=`, or there is none. */
const OPTIONAL: readonly (readonly [flags: string, about: string])[] = [
  ["--cap [name]", "has capabilities, or =net_raw among them"],
  ["--hidden [fates]", "not in the image any more: =overwritten, whiteout, opaque, replaced or attributes"],
  ["--marker [idle]", "whiteouts and opaque markers themselves; =idle: those that hide nothing"],
];

const ALL = [...VALUES, ...FLAGS, ...OPTIONAL];

/** Adds the options of all predicates. */
export function addPredicates(command: Command): void {
  const several = (value: string, before: unknown) => collect(value, (before as string[] | undefined) ?? []);
  for (const [flags, about] of [...VALUES, ...OPTIONAL])
    command.addOption(new Option(flags, about).argParser(several));
  for (const [flags, about] of FLAGS) command.option(flags, about, false);
  takeValuesBehindEquals(command);
}

/** Predicates as they were given: by option, all values; of one that takes none, an empty one. */
export function givenPredicates(command: Command): Map<string, readonly string[]> {
  const given = givenOptions(command);
  const found = new Map<string, readonly string[]>();
  for (const name of ALL.map(nameOf)) {
    const value = given.get(name);
    if (value !== undefined) found.set(name, Array.isArray(value) ? value : [""]);
  }
  return found;
}

/** Without `=` those have none: what stands behind them is an image or a path. */
function takeValuesBehindEquals(command: Command): void {
  const names = OPTIONAL.map(nameOf);
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (words) => {
    const end = words.includes("--") ? words.indexOf("--") : words.length;
    return parse(words.map((word, i) => (i < end && names.includes(word) ? `${word}=` : word)));
  };
}

const nameOf = ([flags]: readonly [string, string]): string => flags.split(" ")[0] ?? "";
