import { OperationalError } from "../bytes/errors.ts";

/** A blob id is 64 bytes in the device table. */
const MAX_ID = 64;

/** @throws OperationalError for what cannot be the id of a blob */
export function mustBeBlobId(id: string): void {
  if (!/^[\x21-\x7e]+$/.test(id)) throw new OperationalError(`blob id "${id}" is no ASCII word`);
  if (id.length > MAX_ID) throw new OperationalError(`blob id is limited to length ${MAX_ID}`);
}
