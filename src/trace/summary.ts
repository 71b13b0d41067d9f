import { readFileSync } from "node:fs";
import { messageOf, OperationalError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import { readsOf, type TracedRead } from "./format.ts";

/** All first reads of one file. */
interface TracedFile {
  readonly path: Uint8Array;
  reads: number;
  bytes: number;
  /** Of the first of them. */
  readonly seconds: number;
}

/** What a trace comes down to. */
export interface Summary {
  readonly reads: number;
  readonly bytes: number;
  /** From the first to the last read. */
  readonly seconds: number;
  /** In the order of their first reads. */
  readonly files: readonly TracedFile[];
}

/** @throws OperationalError when the file cannot be read or is no trace */
export function summarizeFile(file: string): Summary {
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (error) {
    throw new OperationalError(`trace ${file}: ${messageOf(error)}`);
  }
  return summarize(readsOf(text, file));
}

export function summarize(trace: Iterable<TracedRead>): Summary {
  const files = new Map<string, TracedFile>();
  let reads = 0;
  let bytes = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const { path, length, seconds } of trace) {
    const key = Buffer.from(path).toString("latin1");
    let file = files.get(key);
    if (file === undefined) {
      file = { path, reads: 0, bytes: 0, seconds };
      files.set(key, file);
    }
    file.reads++;
    file.bytes += length;
    reads++;
    bytes += length;
    first = Math.min(first, seconds);
    last = Math.max(last, seconds);
  }
  return { reads, bytes, seconds: Math.max(0, last - first), files: [...files.values()] };
}

/** For people. */
export function summaryText({ reads, bytes, seconds, files }: Summary): string {
  const cells = files.map(({ seconds, reads, bytes, path }) => ({
    seconds: seconds.toFixed(3),
    reads: String(reads),
    bytes: String(bytes),
    path: showName(path),
  }));
  const rows = [{ seconds: "SECONDS", reads: "READS", bytes: "BYTES", path: "PATH" }, ...cells];
  const padder = (column: keyof (typeof rows)[number]) => {
    const width = rows.reduce((most, row) => Math.max(most, row[column].length), 0);
    return (row: (typeof rows)[number]) => row[column].padStart(width);
  };
  const padded = [padder("seconds"), padder("reads"), padder("bytes")];
  const lines = rows.map((row) => [...padded.map((pad) => pad(row)), row.path].join("  "));
  const total = `${reads} first reads, ${bytes} bytes of ${files.length} files within ${seconds.toFixed(3)} s`;
  return [total, ...lines].join("\n");
}

/** For programs. Paths are as people see them: those that are no UTF-8 have `\xNN` in them. */
export const summaryJson = ({ files, ...totals }: Summary): string =>
  JSON.stringify({ ...totals, files: files.map((file) => ({ ...file, path: showName(file.path) })) });

/**
 * The files alone, a path a line: a list for `--prefetch-files`, nydusd and `nydus-image create`. They take paths as
 * they are, so that one with a newline in it, or with blanks at its end, cannot be said to them and is left out.
 */
export const summaryPaths = ({ files }: Summary): Buffer =>
  Buffer.concat(
    files
      .map(({ path }) => Buffer.from(path))
      .filter((path) => !/\n|\s$/.test(path.toString("latin1")))
      .flatMap((path) => [path, Buffer.from("\n")]),
  );
