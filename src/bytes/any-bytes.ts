import { isUtf8 } from "./name.ts";

/**
 * Paths are bytes; Node's strings are not. A byte that is no UTF-8 is held as the lone surrogate U+DC00 + byte, which no UTF-8
 * gives, so that each path is one string and each string one path: as Python does (PEP 383, `surrogateescape`).
 */
const BYTE = /[\udc80-\udcff]/u;
const BYTES = /([\udc80-\udcff])/u;
const FIRST = 0xdc00;

/** A sequence of UTF-8 (Unicode 3.9, table 3-7), bytes as characters of the same number; or any one byte. */
const PIECE =
  /[\0-\x7f]+|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\s\S]/g;

/** As JSON and Python write it: `\udce9`. */
export const showBytes = (text: string): string =>
  text.replace(/[\udc80-\udcff]/gu, (byte) => `\\u${byte.charCodeAt(0).toString(16)}`);

/** Whether a string holds bytes that are no UTF-8. */
export const holdsBytes = (text: string): boolean => BYTE.test(text);

/** The bytes that a string stands for. */
export function bytesOf(text: string): Buffer {
  if (!holdsBytes(text)) return Buffer.from(text);
  return Buffer.concat(
    text
      .split(BYTES)
      .map((part) => (holdsBytes(part) ? Buffer.of(part.charCodeAt(0) - FIRST) : Buffer.from(part))),
  );
}

/** The string that stands for bytes. */
export function textOf(bytes: Uint8Array): string {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(all)) return all.toString();
  return all
    .toString("latin1")
    .replace(PIECE, (piece) =>
      piece.length === 1 && piece >= "\x80"
        ? String.fromCharCode(FIRST + piece.charCodeAt(0))
        : Buffer.from(piece, "latin1").toString(),
    );
}
