const BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * 32-bit FNV-1a of `bytes[from, to)`, its high bits folded into the low ones for tables.
 *
 * @param to at most the length: for each name that is looked up, so it is not checked here
 * @see http://www.isthe.com/chongo/tech/comp/fnv/
 */
export function fnv(bytes: Uint8Array, from: number, to: number): number {
  let h = Math.imul(BASIS, FNV_PRIME);
  for (let i = from; i < to; i++) h = Math.imul(h ^ (bytes[i] as number), FNV_PRIME);
  return (h ^ (h >>> 15)) >>> 0;
}
