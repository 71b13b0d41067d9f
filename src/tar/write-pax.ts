/**
 * Records of a pax extended header, `LENGTH KEY=VALUE\n`, as bytes: names and xattr values of an image may be
 * any bytes, and what makes strings of them (tar-stream's own `pax` does) turns those that are no UTF-8 into
 * U+FFFD. Source: POSIX pax, "pax Extended Header".
 */
const encoder = new TextEncoder();
const PERCENT = 0x25;
const EQUALS = 0x3d;
const SPACE = Uint8Array.of(0x20);
const EQUALS_SIGN = Uint8Array.of(EQUALS);
const NEWLINE = Uint8Array.of(0x0a);

/** @returns one record; its length counts its own digits */
export function paxRecord(key: string | Uint8Array, value: string | Uint8Array): Uint8Array {
  const rest = Buffer.concat([SPACE, bytesOf(key), EQUALS_SIGN, bytesOf(value), NEWLINE]);
  let digits = String(rest.length).length;
  if (String(rest.length + digits).length > digits) digits++;
  return Buffer.concat([Buffer.from(String(rest.length + digits)), rest]);
}

/**
 * Key of an xattr. GNU tar reads `%3D` as `=`, which would end the key, and `%25` as `%`; only what it would
 * read otherwise is written so, because other readers take keys as they are.
 */
export function xattrKey(name: Uint8Array): Uint8Array {
  const key: number[] = [...encoder.encode("SCHILY.xattr.")];
  name.forEach((byte, i) => {
    const next = String.fromCharCode(...name.subarray(i + 1, i + 3));
    if (byte === EQUALS) key.push(...encoder.encode("%3D"));
    else if (byte === PERCENT && (next === "3D" || next === "25")) key.push(...encoder.encode("%25"));
    else key.push(byte);
  });
  return Uint8Array.from(key);
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
