const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const SECOND = 1_000_000_000;

/** Seconds, any sign, and nanoseconds to add to them. */
export interface Time {
  readonly seconds: number;
  readonly nsec: number;
}

/**
 * Reads the pax time in `b[from, to)`: decimal seconds since 1970 with a fraction of any length, also negative.
 * What is finer than a nanosecond is rounded down, towards the past, as GNU tar does.
 *
 * @returns seconds inexact above 2^53; undefined when it is no such number
 */
export function readTime(b: Uint8Array, from: number, to: number): Time | undefined {
  const isNegative = b[from] === MINUS;
  const first = isNegative ? from + 1 : from;
  let i = first;
  let seconds = 0;
  for (; i < to; i++) {
    const digit = digitAt(b, i);
    if (digit === undefined) break;
    seconds = seconds * 10 + digit;
  }
  if (i === first || (i < to && b[i] !== POINT)) return undefined;
  let nsec = 0;
  let unit = SECOND / 10;
  let isFiner = false;
  for (i++; i < to; i++) {
    const digit = digitAt(b, i);
    if (digit === undefined) return undefined;
    if (unit >= 1) nsec += unit * digit;
    else if (digit !== 0) isFiner = true;
    unit /= 10;
  }
  if (!isNegative) return { seconds, nsec };
  if (isFiner) nsec++;
  return nsec === 0 ? { seconds: 0 - seconds, nsec } : { seconds: -seconds - 1, nsec: SECOND - nsec };
}

/** @returns undefined for anything else */
function digitAt(b: Uint8Array, at: number): number | undefined {
  const digit = (b[at] ?? 0) - ZERO;
  return digit >= 0 && digit <= 9 ? digit : undefined;
}
