import { textOf } from "../bytes/any-bytes.ts";
import { Wanted } from "./predicate.ts";

/** Whether bytes are meant; a byte that is no UTF-8 is one character. */
export type Matcher = (bytes: Uint8Array) => boolean;

const ASCII = /^[\0-\x7f]*$/;
const CLASSES: ReadonlyMap<string, string> = new Map([
  ["alpha", "\\p{L}"],
  ["digit", "0-9"],
  ["alnum", "\\p{L}\\p{Nd}"],
  ["upper", "\\p{Lu}"],
  ["lower", "\\p{Ll}"],
  ["space", "\\t-\\r "],
  ["blank", "\\t "],
  ["punct", "!-\\/:-@\\[-`\\{-~"],
  ["cntrl", "\\0-\\x1f\\x7f"],
  ["xdigit", "0-9A-Fa-f"],
]);

/** A pattern of fnmatch(3), of the whole: `*` takes slashes and leading dots, too, as in find(1). */
export const glob = (pattern: string, ignoresCase = false): Matcher => matcher(source(pattern), ignoresCase);

/** One of several patterns. */
export const anyGlob = (patterns: readonly string[]): Matcher =>
  matcher(`(?:${patterns.map(source).join("|")})`, false);

/** A regular expression of JavaScript, of the whole. @throws Wanted */
export function regex(pattern: string): Matcher {
  try {
    new RegExp(pattern, "u"); // by itself: `)(` would be one in parentheses
    return matcher(`(?:${pattern})`, false);
  } catch {
    throw new Wanted("want a regular expression of JavaScript, of whole paths");
  }
}

function matcher(of: string, ignoresCase: boolean): Matcher {
  const all = new RegExp(`^${of}$`, ignoresCase ? "isu" : "su");
  return (bytes) => {
    // Most names are ASCII, and are no longer looked at then.
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    return all.test(ASCII.test(text) ? text : textOf(bytes));
  };
}

function source(pattern: string): string {
  let out = "";
  for (let at = 0; at < pattern.length; ) {
    const char = pattern[at] as string;
    const set = char === "[" ? bracket(pattern, at) : undefined;
    if (set !== undefined) {
      out += set.source;
      at = set.end;
      continue;
    }
    const isEscape = char === "\\" && at + 1 < pattern.length;
    out += char === "*" ? ".*" : char === "?" ? "." : literal(isEscape ? (pattern[at + 1] as string) : char);
    at += isEscape ? 2 : 1;
  }
  return out;
}

/** `[a-z]`, `[!a]`, `[[:digit:]]`; undefined when nothing ends it: then it is a character. */
function bracket(pattern: string, at: number): { source: string; end: number } | undefined {
  const found = /^\[([!^]?)(\]?(?:\[:[a-z]+:\]|\\[\s\S]|[^\]\\])*)\]/u.exec(pattern.slice(at));
  if (found === null) return undefined;
  const [whole, not = "", members = ""] = found;
  const inside = members.replace(
    /\[:([a-z]+):\]|\\([\s\S])|([^\\])/gu,
    (_, name?: string, escaped?: string, char?: string) => {
      if (name === undefined) return char === "-" ? "-" : member(escaped ?? char ?? "");
      const known = CLASSES.get(name);
      if (known === undefined) throw new Wanted(`[:${name}:] is no class of characters`);
      return known;
    },
  );
  // A dash that is no range stands in front or at the end, which the syntax of `u` takes only escaped.
  const dashed = inside.replace(/^-|-$/g, "\\-");
  return { source: `[${not === "" ? "" : "^"}${dashed}]`, end: at + whole.length };
}

const literal = (char: string): string => char.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
const member = (char: string): string => (char === "-" ? "\\-" : literal(char));
