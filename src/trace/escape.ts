const BACKSLASH = 0x5c;
const X = 0x78;
/** Bytes of `\xNN`. */
const ESCAPE = 4;

/** Bytes that would end a column or a line, or that a terminal obeys, and what begins an escape. */
const isEscaped = (byte: number): boolean => byte < 0x20 || byte === 0x7f || byte === BACKSLASH;

/** A path as a column of a trace: bytes of it that cannot stand there are `\xNN`, all others are themselves. */
export function escapePath(path: Uint8Array): Uint8Array {
  const count = path.reduce((n, byte) => n + (isEscaped(byte) ? 1 : 0), 0);
  if (count === 0) return path;
  const out = new Uint8Array(path.length + 3 * count);
  let at = 0;
  for (const byte of path) {
    if (!isEscaped(byte)) out[at++] = byte;
    else for (const char of `\\x${byte.toString(16).padStart(2, "0")}`) out[at++] = char.charCodeAt(0);
  }
  return out;
}

/** The other way. @returns undefined for a backslash that begins no escape */
export function unescapePath(text: Uint8Array): Uint8Array | undefined {
  if (!text.includes(BACKSLASH)) return text;
  const out = new Uint8Array(text.length);
  let length = 0;
  for (let at = 0; ; at += ESCAPE) {
    const backslash = text.indexOf(BACKSLASH, at);
    const plain = text.subarray(at, backslash < 0 ? text.length : backslash);
    out.set(plain, length);
    length += plain.length;
    if (backslash < 0) break;
    at = backslash;
    const digits = Buffer.from(text.subarray(at + 2, at + ESCAPE)).toString("latin1");
    if (text[at + 1] !== X || !/^[0-9a-f]{2}$/.test(digits)) return undefined;
    out[length++] = Number.parseInt(digits, 16);
  }
  return out.subarray(0, length);
}
