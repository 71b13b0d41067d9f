import { messageOf, OperationalError } from "../bytes/errors.ts";
import { SLASH, showName } from "../bytes/name.ts";
import { trimmedLines } from "../bytes/trimmed-lines.ts";
import { readRegular } from "../safe-open/read-regular.ts";
import { isTrace, readsOf } from "../trace/format.ts";

/** Longest list that is read: more than all paths of any image. */
const MAX_BYTES = 64 << 20;

/** A file, or a directory with all below it, that is to be prefetched; of a file, maybe only a piece. */
export interface ListEntry {
  readonly path: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/** What is to be prefetched, the most important first. */
export interface PrefetchList {
  /** Pieces in the order in which they were needed once. */
  readonly isTrace: boolean;
  readonly entries: () => Iterable<ListEntry>;
}

/**
 * Reads a list of absolute paths, one a line as nydusd takes it, or a trace.
 *
 * @throws OperationalError naming the file, and the line that is wrong
 */
export function readList(file: string): PrefetchList {
  let text: Uint8Array;
  try {
    text = readRegular(file, MAX_BYTES);
  } catch (error) {
    throw new OperationalError(`prefetch list ${file}: ${messageOf(error)}`);
  }
  return parseList(text, file);
}

/** As `readList`, for text that is already here. */
export function parseList(text: Uint8Array, file: string): PrefetchList {
  const list = isTrace(text)
    ? { isTrace: true, entries: () => readsOf(text, file) }
    : { isTrace: false, entries: () => pathsOf(text, file) };
  // Every line is looked at now: a list is refused as a whole, before anything is mounted. What it says is not kept,
  // only the text: a list may be long.
  for (const _ of list.entries());
  return list;
}

function* pathsOf(text: Uint8Array, file: string): Generator<ListEntry> {
  for (const { number, text: path } of trimmedLines(text)) {
    if (path[0] !== SLASH)
      throw new OperationalError(
        `prefetch list ${file}: line ${number}: "${showName(path.subarray(0, 100))}" is no absolute path`,
      );
    yield { path, offset: 0, length: Number.POSITIVE_INFINITY };
  }
}
