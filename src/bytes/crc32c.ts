/** CRC-32C (Castagnoli), reflected, as EROFS uses it: the caller gives the start value, no final inversion. */
const POLYNOMIAL = 0x82f63b78;

const table = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1;
  table[i] = c >>> 0;
}

/** Continues `crc` (start with 0xffffffff) over `bytes`. */
export function crc32c(crc: number, bytes: Uint8Array): number {
  let c = crc;
  // Both indices are inside: one is below the length, the other a byte.
  for (let i = 0; i < bytes.length; i++) c = (table[(c ^ (bytes[i] as number)) & 0xff] as number) ^ (c >>> 8);
  return c >>> 0;
}
