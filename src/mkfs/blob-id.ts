import { OperationalError } from "../bytes/errors.ts";
import { isBlobId } from "../erofs/device.ts";

/** A blob id is 64 bytes in the device table. */
const MAX_ID = 64;

/** @throws OperationalError for what cannot be the id of a blob, and so not the name of its file */
export function mustBeBlobId(id: string): void {
  if (id.length > MAX_ID) throw new OperationalError(`blob id is limited to length ${MAX_ID}`);
  if (!isBlobId(id)) throw new OperationalError(`blob id "${id}" is not a plain file name`);
}
