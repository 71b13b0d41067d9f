import { textOf } from "../bytes/any-bytes.ts";
import { type CharacterSet, setAt } from "./character-set.ts";
import { Wanted } from "./predicate.ts";

/** Whether bytes are meant; a byte that is no UTF-8 is one character. */
export type Matcher = (bytes: Uint8Array) => boolean;

const ASCII = /^[\0-\x7f]*$/;

/** What a pattern wants: any characters, any one, that one, one of a set; or what is never there. */
type Token = "*" | "?" | number | CharacterSet;

/**
 * A pattern of fnmatch(3), of the whole: `*` takes slashes and leading dots, too, as in find(1).
 *
 * @throws Wanted for a class of characters that is none
 */
export function glob(pattern: string, ignoresCase = false): Matcher {
  const tokens = tokensOf(pattern, ignoresCase);
  const fold = ignoresCase ? folded : (char: number) => char;
  return (bytes) => matches(tokens, characters(bytes), fold);
}

/** One of several patterns. */
export function anyGlob(patterns: readonly string[]): Matcher {
  const matchers = patterns.map((pattern) => glob(pattern));
  return (bytes) => matchers.some((each) => each(bytes));
}

/** A regular expression of JavaScript, of the whole. @throws Wanted */
export function regex(pattern: string): Matcher {
  try {
    new RegExp(pattern, "u"); // by itself: `)(` would be one in parentheses
    const all = new RegExp(`^(?:${pattern})$`, "su");
    return (bytes) => all.test(characters(bytes));
  } catch {
    throw new Wanted("want a regular expression of JavaScript, of whole paths");
  }
}

/**
 * What one `*` took is never tried again once there is a later one, so that it takes no more steps than the name has characters
 * for each of the pattern: names are an image's author's, who could make a regular expression run for ever.
 */
function matches(tokens: readonly Token[], text: string, fold: (char: number) => number): boolean {
  let [token, at, star, starAt] = [0, 0, -1, 0];
  while (at < text.length) {
    const wanted = tokens[token];
    if (wanted === "*") {
      star = ++token;
      starAt = at;
      continue;
    }
    const char = text.codePointAt(at) as number; // there is one
    if (wanted !== undefined && takes(wanted, char, fold)) {
      token++;
      at += width(char);
      continue;
    }
    if (star < 0) return false;
    token = star;
    starAt += width(text.codePointAt(starAt) as number);
    at = starAt;
  }
  while (tokens[token] === "*") token++;
  return token === tokens.length;
}

function takes(wanted: Exclude<Token, "*">, char: number, fold: (char: number) => number): boolean {
  if (typeof wanted === "number") return wanted === fold(char);
  return wanted === "?" || wanted(char, fold(char));
}

function tokensOf(pattern: string, ignoresCase: boolean): readonly Token[] {
  const fold = ignoresCase ? folded : (char: number) => char;
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; ) {
    const char = pattern.codePointAt(at) as number; // there is one
    const found = char === OPEN ? setAt(pattern, at, fold) : undefined;
    if (found !== undefined) {
      tokens.push(found.set);
      at = found.end;
    } else if (char === STAR || char === QUESTION) {
      tokens.push(char === STAR ? "*" : "?");
      at++;
    } else {
      at += char === BACKSLASH ? 1 : 0;
      const literal = pattern.codePointAt(at);
      tokens.push(literal === undefined ? NEVER : fold(literal));
      at += width(literal ?? 0);
    }
  }
  return tokens;
}

const [OPEN, STAR, QUESTION, BACKSLASH] = [0x5b, 0x2a, 0x3f, 0x5c];
/** A backslash with nothing behind it: for fnmatch(3) nothing is like it. */
const NEVER: CharacterSet = () => false;

const width = (char: number): number => (char > 0xffff ? 2 : 1);

/** Most names are ASCII, and are no longer looked at then. */
function characters(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return ASCII.test(text) ? text : textOf(bytes);
}

/** As towlower(3): one character for one. */
function folded(char: number): number {
  const lower = String.fromCodePoint(char).toLowerCase();
  const only = lower.codePointAt(0) ?? char;
  return width(only) === lower.length ? only : char;
}
