const EMPTY = new Uint8Array(0);

/** Small copies are cut from one block after another: an ArrayBuffer for each would cost ten times as much. */
const BLOCK = 16 << 10;
const SMALL = BLOCK / 16;
let block = new Uint8Array(BLOCK);
let used = 0;

/** A copy of `b[from, to)`, which must lie in it; a plain Uint8Array whatever `b` is. */
export function copyOf(b: Uint8Array, from = 0, to = b.length): Uint8Array {
  const length = to - from;
  if (length === 0) return EMPTY;
  if (length > SMALL) return new Uint8Array(b.subarray(from, to));
  if (used + length > BLOCK) {
    block = new Uint8Array(BLOCK);
    used = 0;
  }
  const start = used;
  used += length;
  for (let i = 0; i < length; i++) block[start + i] = b[from + i] as number;
  return block.subarray(start, used);
}
