import { UsageError } from "../bytes/errors.ts";
import type { Rows } from "./rows.ts";

/** Whether a row is wanted. */
export type Test = (row: number) => boolean;
/** What is asked for, of any image. */
export type Predicate = (rows: Rows) => Test;
/** Makes one of what was given. @throws Wanted */
export type Parse = (value: string) => Predicate;

/** A value that is none, and what would be one. */
export class Wanted extends UsageError {}

/** A value that may say "not" by `!` in front of it. */
export const negatable =
  (parse: Parse): Parse =>
  (value) => {
    if (!value.startsWith("!")) return parse(value);
    const inner = parse(value.slice(1));
    return (rows) => {
      const test = inner(rows);
      return (row) => !test(row);
    };
  };

/** An escape, a set of characters, and any other. */
const PIECES = /\\.|\[[!^]?\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*\]|./gsu;

/** At commas, but for `\,`, which is one that does not divide, and for those in a set of characters. */
function divided(value: string): string[] {
  const parts = [""];
  for (const [piece] of value.matchAll(PIECES))
    if (piece === ",") parts.push("");
    else parts[parts.length - 1] += piece === "\\," ? "," : piece;
  return parts;
}

/** The same of a value of several, of which one is enough, with commas between them. */
export const anyOf = (parse: Parse): Parse =>
  negatable((value) => {
    const parts = divided(value).map((part) => parse(part));
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return only;
    return (rows) => {
      const tests = parts.map((part) => part(rows));
      return (row) => tests.some((test) => test(row));
    };
  });

/** One of some words. */
export const word = <T>(value: string, words: ReadonlyMap<string, T>): T => {
  const found = words.get(value);
  if (found === undefined) throw new Wanted(`want one of ${[...words.keys()].join(", ")}`);
  return found;
};

/** `+N`, `-N` and `N`, as find(1) has them: more, less, or just as many. @returns NaN is none of them */
export function amount(value: string, what: string): (n: number) => boolean {
  const [, sign, digits] = /^([+-]?)(\d{1,15})$/.exec(value) ?? [];
  if (digits === undefined) throw new Wanted(`want ${what}: N, +N for more, -N for less`);
  const than = Number(digits);
  if (sign === "+") return (n) => n > than;
  return sign === "-" ? (n) => n < than : (n) => n === than;
}
