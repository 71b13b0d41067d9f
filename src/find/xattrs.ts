import { OperationalError } from "../bytes/errors.ts";
import { showName } from "../bytes/name.ts";
import { type NamedValue, readArea } from "../erofs/xattr-area.ts";
import { NONE } from "../mkfs/tree.ts";
import { hasCapability } from "./capabilities.ts";
import type { Matcher } from "./glob.ts";
import type { Predicate } from "./predicate.ts";
import type { Rows } from "./rows.ts";

const CAPABILITY = "security.capability";

export const xattrNamed =
  (matches: Matcher): Predicate =>
  (rows) =>
  (row) =>
    xattrsOf(rows, row).some(({ name }) => matches(name));

/** Files with a capability. @param number which; undefined: any */
export const capabilityOf =
  (number: number | undefined): Predicate =>
  (rows) =>
  (row) =>
    xattrsOf(rows, row).some(
      ({ name, value }) =>
        Buffer.from(name).toString("latin1") === CAPABILITY &&
        (number === undefined || hasCapability(value, number)),
    );

function xattrsOf(rows: Rows, row: number): NamedValue[] {
  const inode = rows.inode(row);
  const size = inode === NONE ? 0 : (rows.tree.xattrSize[inode] as number);
  if (size === 0) return [];
  const { buffer, byteOffset, byteLength } = rows.tree.pool.bytes;
  const view = new DataView(buffer, byteOffset, byteLength);
  return readArea(view, rows.tree.xattrAt[inode] as number, size, (problem) => {
    throw new OperationalError(`${showName(rows.path(row))}: ${problem}`);
  });
}
