import { putS64, putU64, TWO_32 } from "./u64.ts";

/**
 * Numbers on their way into fields of fixed width, little-endian. What a field cannot hold is an error here: a DataView
 * and a typed array keep the low bits and say nothing. Whoever builds refuses by name what a format cannot say; this is
 * for what was forgotten there, and every such write goes through it (test/structure/writes).
 */
export const fit8 = (value: number): number => (value === (value & 0xff) ? value : misfit(value, 8));
export const fit16 = (value: number): number => (value === (value & 0xffff) ? value : misfit(value, 16));
export const fit32 = (value: number): number => (value === value >>> 0 ? value : misfit(value, 32));

export const put8 = (v: DataView, at: number, value: number): void => v.setUint8(at, fit8(value));
export const put16 = (v: DataView, at: number, value: number): void => v.setUint16(at, fit16(value), true);
export const put32 = (v: DataView, at: number, value: number): void => v.setUint32(at, fit32(value), true);

/** A number of 48 bits as the format keeps it: the low 32 and the high 16 in different places. */
export function put48(v: DataView, lowAt: number, highAt: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  put32(v, lowAt, value - high * TWO_32);
  put16(v, highAt, high);
}

export function put64(v: DataView, at: number, value: number): void {
  if (!(Number.isSafeInteger(value) && value >= 0)) misfit(value, 53);
  putU64(v, at, value);
}

export function putSigned64(v: DataView, at: number, value: number): void {
  if (!Number.isSafeInteger(value)) misfit(value, 53);
  putS64(v, at, value);
}

/** The characters of an id or magic, which are ASCII, over zeros. */
export function putAscii(v: DataView, at: number, text: string, width: number): void {
  if (text.length > width) misfit(text.length, width);
  for (let i = 0; i < text.length; i++) put8(v, at + i, text.charCodeAt(i));
}

function misfit(value: number, bits: number): never {
  throw new RangeError(`${value} does not fit in a field of ${bits} bits`);
}
