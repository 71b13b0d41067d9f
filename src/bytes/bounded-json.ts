const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);

/** Lists and objects within one another: documents of images have six. */
export const MAX_NESTING = 64;
/** Members and items: `[[],[],…` takes fifty bytes a byte. */
export const MAX_VALUES = 1 << 18;

/** What a document may come to, beside its bytes, before it is made into values. */
interface JsonBounds {
  readonly nesting: number;
  readonly values: number;
}

const DOCUMENT: JsonBounds = { nesting: MAX_NESTING, values: MAX_VALUES };

/**
 * Parses a document of a stranger: how much memory that can take is counted in its bytes first.
 *
 * @throws Error naming the bound; SyntaxError
 */
export function parseJson(bytes: Uint8Array, bounds = DOCUMENT): unknown {
  mustBeBounded(bytes, bounds);
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
}

/** @throws Error naming the bound. What is no JSON may pass. */
export function mustBeBounded(bytes: Uint8Array, { nesting, values } = DOCUMENT): void {
  let depth = 0;
  let count = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === COMMA || byte === COLON) count++;
    else if (OPEN.has(byte)) {
      count++;
      if (++depth > nesting) throw new Error(`more than ${nesting} lists and objects within one another`);
    } else if (CLOSE.has(byte)) depth--;
    if (count > values) throw new Error(`more than ${values} values`);
  }
}

/** @returns where the quote is that ends it */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}
