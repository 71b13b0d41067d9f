import type { Rows } from "../src/find/rows.ts";
import { print, writeExactly } from "./say.ts";

/** So many lines are written at once: a system call each would be one too many. */
const BATCH = 4096;

/** How what was found is written. */
export interface FindOutput {
  readonly long: boolean;
  readonly bytes: boolean;
  readonly null: boolean;
  readonly printf?: string;
  readonly json: boolean;
}

type Write = (found: Int32Array) => void;

/** @throws UsageError for a format that is none */
export async function outputOf({
  long,
  bytes,
  null: isNull,
  printf,
  json,
}: FindOutput): Promise<(rows: Rows) => Write> {
  if (printf !== undefined) {
    const { FoundFormat } = await import("../src/inspect/found-format.ts");
    const format = new FoundFormat(printf);
    return inBatches((rows, some) =>
      writeExactly(Buffer.concat(Array.from(some, (row) => format.line(rows, row)))),
    );
  }
  if (json) {
    const { foundRecord } = await import("../src/inspect/found-json.ts");
    return inBatches((rows, some) =>
      print(Array.from(some, (row) => `${JSON.stringify(foundRecord(rows, row))}\n`).join("")),
    );
  }
  if (long) {
    const { foundText } = await import("../src/inspect/found-text.ts");
    const { sizeText } = await import("../src/inspect/size-text.ts");
    return (rows) => (found) => print(foundText(rows, found, bytes ? String : sizeText));
  }
  const { PathWriter } = await import("../src/find/path-writer.ts");
  return (rows) => (found) => {
    const writer = new PathWriter(rows, isNull, writeExactly);
    for (const row of found) writer.add(row);
    writer.flush();
  };
}

const inBatches =
  (write: (rows: Rows, some: Int32Array) => void) =>
  (rows: Rows): Write =>
  (found) => {
    for (let at = 0; at < found.length; at += BATCH) write(rows, found.subarray(at, at + BATCH));
  };
