import type { ShownChange } from "../src/inspect/diff-text.ts";
import type { SizeText } from "../src/inspect/size-text.ts";
import type { Change } from "../src/layers/comparison.ts";
import type { Attribute, Ignorable } from "../src/layers/difference.ts";
import type { Side } from "../src/layers/side.ts";
import { warn } from "./help.ts";
import { print, writeExactly } from "./say.ts";

/** So many are written at once: a system call each would be one too many. */
const BATCH = 4096;

/** What of two images is compared, and how it is written. */
export interface DiffOutput {
  readonly data: boolean;
  readonly semantic: boolean;
  readonly ignore: readonly Ignorable[];
  readonly dirs: boolean;
  readonly all: boolean;
  readonly nameStatus: boolean;
  readonly stat: boolean;
  readonly quiet: boolean;
  readonly bytes: boolean;
  readonly json: boolean;
  readonly null: boolean;
}

/**
 * Compares, and writes what differs as it was asked for.
 *
 * @returns whether they are the same, as far as is known
 */
export async function showComparison(before: Side, after: Side, flags: DiffOutput): Promise<boolean> {
  const { Comparison } = await import("../src/layers/comparison.ts");
  const { believedText, shownChange, tallyText } = await import("../src/inspect/diff-text.ts");
  const { sizeText } = await import("../src/inspect/size-text.ts");
  const { tallyRecord } = await import("../src/inspect/diff-json.ts");
  const { data, semantic, ignore, dirs: hasDirectoryTimes, all: isWhole, json, quiet } = flags;
  const ignored = new Set<Attribute>(semantic ? [...ignore, "mtime"] : ignore);
  const comparison = new Comparison({ before, after, ignored, isWhole, hasDirectoryTimes });
  if (data || semantic) comparison.readData(quiet);
  const size = flags.bytes ? String : sizeText;
  const write = await writerOf(flags, size);
  for (const batch of batches(comparison.changes(), quiet ? 1 : write.batch)) {
    if (quiet) return false;
    write.changes?.(batch.map((change) => shownChange(before, after, change)));
  }
  const { tally } = comparison;
  const believed = believedText(tally);
  if (json && !quiet) print(`${JSON.stringify(tallyRecord(tally))}\n`);
  else if (believed !== undefined) warn(believed); // of --quiet nobody hears it
  if (write.hasTally && !quiet) print(tallyText(tally, size));
  return tally.isSame;
}

interface Writer {
  /** How many are written at once. */
  readonly batch: number;
  /** Absent: they are only counted. */
  readonly changes?: (changes: readonly ShownChange[]) => void;
  readonly hasTally: boolean;
}

async function writerOf({ json, stat, nameStatus, ...flags }: DiffOutput, size: SizeText): Promise<Writer> {
  const text = await import("../src/inspect/diff-text.ts");
  const { changeRecord } = await import("../src/inspect/diff-json.ts");
  const lines = (line: (change: ShownChange) => string): Writer => ({
    ...{ batch: BATCH, hasTally: false, changes: (changes) => print(changes.map(line).join("")) },
  });
  if (json) return lines((change) => `${JSON.stringify(changeRecord(change))}\n`);
  if (flags.null) {
    const records = (changes: readonly ShownChange[]) => Buffer.concat(changes.map(text.nameStatusRecord));
    return { batch: BATCH, hasTally: false, changes: (changes) => writeExactly(records(changes)) };
  }
  if (nameStatus) return lines(text.nameStatusLine);
  if (stat) return { batch: BATCH, hasTally: true };
  // All of them: columns are as wide as they must be.
  const table = (changes: readonly ShownChange[]) => print(text.changesText(changes, size));
  return { batch: Number.POSITIVE_INFINITY, hasTally: true, changes: table };
}

function* batches(changes: Iterable<Change>, most: number): Generator<Change[]> {
  let batch: Change[] = [];
  for (const change of changes) {
    if (batch.push(change) < most) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
