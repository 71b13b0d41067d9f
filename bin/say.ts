import { bytesOf } from "../src/bytes/any-bytes.ts";
import { escapeControlChars, shown } from "../src/bytes/escape-control-chars.ts";

/*
 * The only way to standard output and error, so that nothing gets to a terminal that it would obey, whoever has named it
 * (test/structure/people.test.ts). What is for programs, and must be exact, is JSON, or bytes: `writeExactly`.
 */

/** A line for people. Names in it are as they are: it is escaped here. */
export const sayLine = (line: string): void => print(`${shown(line)}\n`);

/** Lines whose names were escaped by who made them, as cells of a table are; or JSON, which stays the same to its reader. */
export const say = (text: string): void => print(`${text}\n`);

/** The same with the end of its last line, if it has one. */
export const print = (text: string): void => void process.stdout.write(ownLines(text));

/** Newlines and tabs stay: they are ours, where names were escaped. */
const ownLines = (text: string): string =>
  text
    .split(/([\n\t])/)
    .map((part, i) => (i % 2 === 0 ? escapeControlChars(part) : part))
    .join("");

/** What programs read, which has rules of its own for what stands in it. */
export const writeExactly = (text: string | Uint8Array): void =>
  void process.stdout.write(typeof text === "string" ? bytesOf(text) : text);

/** A problem, or what is being done: one line on standard error. @param word in front of it, with its colour */
export const complain = (word: string, message: string): void =>
  void process.stderr.write(`${word} ${shown(message)}\n`);

/** For a terminal to obey: numbers and words of our own only. */
export const draw = (text: string): void => void process.stderr.write(text);
