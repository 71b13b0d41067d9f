import { Wanted } from "./predicate.ts";

/** Whether a character is in it; `folded` is the same where case counts, else its small letter. */
export type CharacterSet = (char: number, folded: number) => boolean;

const CLASSES: ReadonlyMap<string, RegExp> = new Map([
  ["alpha", /^\p{L}$/u],
  ["digit", /^[0-9]$/],
  ["alnum", /^[\p{L}\p{Nd}]$/u],
  ["upper", /^\p{Lu}$/u],
  ["lower", /^\p{Ll}$/u],
  ["space", /^[\t-\r ]$/],
  ["blank", /^[\t ]$/],
  ["punct", /^[!-/:-@[-`{-~]$/],
  ["cntrl", /^\p{Cc}$/u],
  ["xdigit", /^[0-9A-Fa-f]$/],
  ["print", /^[^\p{C}]$/u],
  ["graph", /^[^\p{C}\p{Z}]$/u],
]);

/** A class, `[=a=]` or `[.a.]`, an escape, or a character; what is behind a dash as well, unless that ends the set. */
const MEMBER = /(?:\[:([a-z]+):\]|\[([=.])([^\0])\2\]|\\([^\0])|([^\\]))/suy;
const RANGE = /-(?!\])(?:\\([^\0])|([^\\]))/suy;

/**
 * A set of characters, as glibc's fnmatch(3) reads it: `[a-z]`, `[!a]`, `[]a]`, `[[:digit:]_]`.
 *
 * @param at of its `[`
 * @param fold what is done to characters, but not to those of a class
 * @returns undefined when nothing ends it: then `[` is a character
 * @throws Wanted for a class that is none
 */
export function setAt(
  pattern: string,
  at: number,
  fold: (char: number) => number,
): { set: CharacterSet; end: number } | undefined {
  const isNot = pattern[at + 1] === "!" || pattern[at + 1] === "^";
  const members: CharacterSet[] = [];
  let end = at + (isNot ? 2 : 1);
  for (const first = end; end === first || pattern[end] !== "]"; ) {
    const found = memberAt(pattern, end, fold);
    if (found === undefined) return undefined;
    members.push(found.set);
    end = found.end;
  }
  const isIn: CharacterSet = (char, folded) => members.some((each) => each(char, folded));
  return { set: isNot ? (char, folded) => !isIn(char, folded) : isIn, end: end + 1 };
}

function memberAt(pattern: string, at: number, fold: (char: number) => number) {
  MEMBER.lastIndex = at;
  const found = MEMBER.exec(pattern);
  if (found === null) return undefined;
  const [, name, , same, escaped, plain = ""] = found;
  const end = MEMBER.lastIndex;
  if (name !== undefined) return { set: classOf(name), end };
  const from = fold((same ?? escaped ?? plain).codePointAt(0) as number); // one character
  RANGE.lastIndex = end;
  const range = RANGE.exec(pattern);
  if (range === null) return { set: (_: number, folded: number) => folded === from, end };
  const to = fold((range[1] ?? range[2] ?? "").codePointAt(0) as number); // one character
  const set = (_: number, folded: number) => from <= folded && folded <= to;
  return { set, end: RANGE.lastIndex };
}

function classOf(name: string): CharacterSet {
  const all = CLASSES.get(name);
  if (all === undefined) throw new Wanted(`[:${name}:] is no class of characters`);
  return (char) => all.test(String.fromCodePoint(char));
}
