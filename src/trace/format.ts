import { OperationalError } from "../bytes/errors.ts";
import { SLASH } from "../bytes/name.ts";
import { type Line, trimmedLines } from "../bytes/trimmed-lines.ts";
import { escapePath, unescapePath } from "./escape.ts";

/*
 * A trace is text: a comment with version and columns, then a line a read, in the order of time, columns apart by
 * tabs: path, offset and length in bytes, seconds since the image was mounted.
 */
const MAGIC = "# nydusd-ts trace 1";
export const HEADER = `${MAGIC}\tpath\toffset\tlength\tseconds\n`;
const NUMBERS = /^\t(\d{1,15})\t(\d{1,15})\t(\d{1,9}(?:\.\d{1,9})?)$/;
const TAB = 0x09;
const HASH = 0x23;

/** The first read of a piece of a file. */
export interface TracedRead {
  readonly path: Uint8Array;
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
  /** Since the image was mounted. */
  readonly seconds: number;
}

/** One line. */
export const lineOf = ({ path, offset, length, seconds }: TracedRead): Buffer =>
  Buffer.concat([escapePath(path), Buffer.from(`\t${offset}\t${length}\t${seconds.toFixed(6)}\n`)]);

/** Whether a text says of itself that it is a trace, whatever its version. */
export const isTrace = (text: Uint8Array): boolean =>
  Buffer.from(text.subarray(0, MAGIC.length - 1)).toString("latin1") === MAGIC.slice(0, -1);

/**
 * @param file named in errors
 * @throws OperationalError naming the line that is none of a trace
 */
export function* readsOf(text: Uint8Array, file: string): Generator<TracedRead> {
  const first = Buffer.from(text.subarray(0, HEADER.length)).toString("latin1");
  if (first !== HEADER) throw new OperationalError(`trace ${file}: line 1 is not "${HEADER.trim()}"`);
  for (const line of trimmedLines(text)) {
    if (line.text[0] === HASH) continue;
    yield readOf(line, file);
  }
}

function readOf({ number, text }: Line, file: string): TracedRead {
  const wrong = (problem: string) => new OperationalError(`trace ${file}: line ${number}: ${problem}`);
  const tab = text.indexOf(TAB);
  const numbers = tab < 0 ? null : NUMBERS.exec(Buffer.from(text.subarray(tab)).toString("latin1"));
  if (numbers === null) throw wrong("want path, offset, length and seconds with tabs between them");
  const path = unescapePath(text.subarray(0, tab));
  if (path === undefined) throw wrong("the path has a backslash that is not \\xNN");
  if (path[0] !== SLASH) throw wrong("the path does not begin with /");
  const [, offset, length, seconds] = numbers;
  return { path, offset: Number(offset), length: Number(length), seconds: Number(seconds) };
}
