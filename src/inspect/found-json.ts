import type { Rows } from "../find/rows.ts";
import { markerRecord, versionRecord } from "./explain-json.ts";
import { nameField } from "./name-field.ts";

/** For programs: what a row is, and what became of it. */
export function foundRecord(rows: Rows, row: number): object {
  const marker = rows.marker(row);
  const path = rows.path(row);
  return marker === undefined
    ? { ...nameField("path", path), ...versionRecord(rows.image.version(row)) }
    : markerRecord({ ...marker, path });
}
