/**
 * 64-bit fields as JavaScript numbers: exact up to 2^53 - 1, and `bigint` reads are 30 times slower
 * (measured), so nothing on the serving path uses them.
 */
export const TWO_32 = 0x1_0000_0000;

/** Powers of two, without a call of pow(): `2 ** n` with a variable n is one. */
export const POWER: Float64Array = Float64Array.from({ length: 64 }, (_, n) => 2 ** n);

/** Reads an unsigned little-endian u64; a value above 2^53 - 1 loses low bits but stays above it. */
export const u64 = (v: DataView, at: number): number =>
  v.getUint32(at, true) + v.getUint32(at + 4, true) * TWO_32;

/** Reads a signed little-endian s64. */
export const s64 = (v: DataView, at: number): number =>
  v.getUint32(at, true) + v.getInt32(at + 4, true) * TWO_32;

/** Writes a non-negative integer below 2^64 as little-endian u64. */
export function putU64(v: DataView, at: number, value: number): void {
  v.setUint32(at, value >>> 0, true);
  v.setUint32(at + 4, Math.floor(value / TWO_32) >>> 0, true);
}

/** Writes an integer in [-2^53, 2^53] as little-endian s64 (two's complement). */
export function putS64(v: DataView, at: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  v.setUint32(at, (value - high * TWO_32) >>> 0, true);
  v.setInt32(at + 4, high | 0, true);
}

/** Rounds `value` up to a multiple of `unit`; both are non-negative integers below 2^53. */
export const alignUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;
