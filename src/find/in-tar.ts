import { OperationalError } from "../bytes/errors.ts";
import { S_IFREG } from "../bytes/errno.ts";
import { piecesOf } from "../layers/pieces.ts";
import { type Parse, Wanted } from "./predicate.ts";
import type { Rows } from "./rows.ts";

/** `BLOB@OFFSET`: files that have this byte of a tar, whose id begins so. */
export const inTar: Parse = (value) => {
  const [, id, digits] = /^([^@]+)@(\d{1,15})$/.exec(value) ?? [];
  if (id === undefined)
    throw new Wanted("want BLOB@OFFSET: where an id begins with BLOB, a byte of that tar");
  const offset = Number(digits);
  return (rows) => {
    const blob = blobOf(rows, id);
    return (row) =>
      rows.type(row) === S_IFREG &&
      piecesOf(rows.tree, rows.inode(row)).some(
        (piece) => piece.blob === blob && offset >= piece.dataAt && offset < piece.dataAt + piece.length,
      );
  };
};

/** @throws OperationalError unless exactly one is meant */
function blobOf({ image: { blobIds } }: Rows, id: string): number {
  const found = [...blobIds.keys()].filter((i) => blobIds[i]?.startsWith(id));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  const how = only === undefined ? "no tar" : `${found.length} tars`;
  throw new OperationalError(`--in-tar ${id}: ${how} of the image with an id that begins so`);
}
