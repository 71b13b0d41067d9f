import { isUtf8 } from "../bytes/name.ts";

/** A name for programs: under its key when it is UTF-8, else as base64, under a key that says so. */
export const nameField = <K extends string>(
  key: K,
  bytes: Uint8Array,
): { [k in K | `${K}_base64`]?: string } =>
  (isUtf8(bytes)
    ? { [key]: Buffer.from(bytes).toString() }
    : { [`${key}_base64`]: Buffer.from(bytes).toString("base64") }) as { [k in K | `${K}_base64`]?: string };
