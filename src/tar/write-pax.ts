import type { Xattr } from "./entry.ts";
import { gnuSpelling, needsSpelling, urlSpelling } from "./xattr-spelling.ts";

/**
 * Records of a pax extended header, `LENGTH KEY=VALUE\n`, as bytes: names and xattr values of an image may be
 * any bytes, and what makes strings of them (tar-stream's own `pax` does) turns those that are no UTF-8 into
 * U+FFFD. Source: POSIX pax, "pax Extended Header".
 */
const encoder = new TextEncoder();
const SPACE = Uint8Array.of(0x20);
const EQUALS_SIGN = Uint8Array.of(0x3d);
const NEWLINE = Uint8Array.of(0x0a);

/** @returns one record; its length counts its own digits */
export function paxRecord(key: string | Uint8Array, value: string | Uint8Array): Uint8Array {
  const rest = Buffer.concat([SPACE, bytesOf(key), EQUALS_SIGN, bytesOf(value), NEWLINE]);
  let digits = String(rest.length).length;
  if (String(rest.length + digits).length > digits) digits++;
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
}

/**
 * Records of an xattr. A SCHILY record has the name as it stands: all readers agree on that, but for names with `=`, which
 * ends a key, and for `%3D` and `%25`, which GNU tar reads as `=` and `%`. Those are written for GNU tar in its escapes, and
 * after that for bsdtar and our reader in a LIBARCHIVE record, which GNU tar passes over. Container tools know SCHILY records
 * alone and take their names as they stand, escapes included (0022).
 */
export function xattrRecords({ name: bytes, value }: Xattr): Uint8Array {
  const name = Buffer.from(bytes).toString("latin1");
  const schily = (spelled: string) => paxRecord(Buffer.from(`SCHILY.xattr.${spelled}`, "latin1"), value);
  if (!needsSpelling(name)) return schily(name);
  const base64 = Buffer.from(value).toString("base64").replace(/=+$/, "");
  return Buffer.concat([
    schily(gnuSpelling(name)),
    paxRecord(`LIBARCHIVE.xattr.${urlSpelling(name)}`, base64),
  ]);
}

/**
 * A time in decimal.
 *
 * @param seconds floored, as in a timespec: -0.5 s is -1 and 500000000 ns
 */
export function paxTime(seconds: number, nanoseconds: number): string {
  if (nanoseconds === 0) return String(seconds);
  const isNegative = seconds < 0;
  const whole = isNegative ? -(seconds + 1) : seconds;
  const rest = isNegative ? 1_000_000_000 - nanoseconds : nanoseconds;
  return `${isNegative ? "-" : ""}${whole}.${String(rest).padStart(9, "0").replace(/0+$/, "")}`;
}

const bytesOf = (text: string | Uint8Array): Uint8Array =>
  typeof text === "string" ? encoder.encode(text) : text;
