import { FormatError, OperationalError } from "../../src/bytes/errors.ts";
import { escapeControlChars } from "../../src/bytes/escape-control-chars.ts";
import { parseList } from "../../src/prefetch/list.ts";
import { resolveList, REQUEST } from "../../src/prefetch/request.ts";
import { HEADER, lineOf, readsOf } from "../../src/trace/format.ts";
import { summarize, summaryJson, summaryPaths, summaryText } from "../../src/trace/summary.ts";
import { mutateBytes } from "./mutate.ts";
import { openSeedImage } from "./seed-image.ts";
import { type MakeTarget, must, refusal, type Verdict } from "./target.ts";

const LIST = "/d\n/d/file\n  /late\t\n\n/d/../d\n/no\n/\n//d//file\n";
const TRACE = `${HEADER}/d/file\t0\t4096\t0.000001\n/late\t4096\t512\t1.5\n# more\n/a\\x0ab\t0\t1\t2\n`;
const WORDS = [
  "/d/file",
  "\t0\t4096\t0.1\n",
  "\n",
  "\\x0a",
  "\\x",
  "#",
  HEADER,
  "\t",
  "/",
  "/..",
  "\0",
  "999999999999999",
  "-1",
  "1e9",
];

/** Lists for --prefetch-files, and traces: read, found in an image, summed up and written again. */
export const listsTarget: MakeTarget = async (dir) => {
  const { fs } = await openSeedImage(dir);
  const run = (input: Uint8Array): Verdict => {
    let verdict: Verdict = "refused";
    try {
      const { isTrace, entries } = parseList(input, "list");
      const all = [...entries()];
      must(
        all.every(({ path }) => path[0] === 0x2f),
        () => "a path that is not absolute",
      );
      const { rows, missing } = resolveList(fs, all);
      must(rows.length / REQUEST.WIDTH + missing === all.length, () => "an entry is lost");
      must(
        all.every(({ offset }) => Number.isSafeInteger(offset)),
        () => "an offset that is none",
      );
      if (isTrace) again(input);
      verdict = "accepted";
    } catch (error) {
      refusal(error, OperationalError, FormatError);
    }
    return verdict;
  };
  const seeds = [LIST, TRACE].map((text) => Uint8Array.from(Buffer.from(text)));
  return {
    seeds,
    longest: 16 << 10,
    memory: 256,
    mutate: (a, b, random) => mutateBytes(a, b, random, WORDS),
    run,
  };
};

/** Writing what was read gives what is read the same. */
function again(text: Uint8Array): void {
  const reads = [...readsOf(text, "trace")];
  const written = Buffer.concat([Buffer.from(HEADER), ...reads.map(lineOf)]);
  const read = [...readsOf(written, "again")];
  const comparable = (all: typeof reads) =>
    JSON.stringify(
      all.map(({ path, offset, length, seconds }) => [
        Buffer.from(path).toString("hex"),
        offset,
        length,
        seconds.toFixed(6),
      ]),
    );
  must(comparable(read) === comparable(reads), () => "what is written is read as something else");
  const summary = summarize(reads);
  must(
    summary.reads === reads.length && JSON.parse(summaryJson(summary)).files.length === summary.files.length,
    () => "sums",
  );
  const lines = summaryText(summary).split("\n");
  must(
    lines.every((line) => escapeControlChars(line) === line),
    () => "what a terminal obeys",
  );
  for (const { path } of parseList(summaryPaths(summary), "paths").entries())
    must(path.length > 0, () => "an empty path");
}
