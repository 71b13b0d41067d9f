import type { Random } from "./random.ts";

/** Numbers at which programs change their minds. */
export const INTERESTING: readonly number[] = [
  ...[0, 1, 2, 3, 4, 7, 8, 11, 12, 13, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 513, 1023, 1024],
  ...[
    4095,
    4096,
    4097,
    65_535,
    65_536,
    2 ** 20,
    2 ** 24,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 40,
  ],
  ...[2 ** 53 - 1, 2 ** 53, 2 ** 63, -1, -2, -512, -4096],
];

/** Puts a number into `width` bytes, little-endian, cut off at the width. */
export function putNumber(bytes: Uint8Array, at: number, width: number, value: number): void {
  let rest = BigInt.asUintN(64, BigInt(Math.trunc(value)));
  for (let i = 0; i < width && at + i < bytes.length; i++, rest >>= 8n) bytes[at + i] = Number(rest & 255n);
}

export function getNumber(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}

/** Something else for a field: near what it is, far from it, or what some other field could be. */
export function otherNumber(value: number, random: Random): number {
  switch (random.below(6)) {
    case 0:
      return value + 1 + random.below(8);
    case 1:
      return value - 1 - random.below(8);
    case 2:
      return value + (random.once(2) ? 1 : -1) * random.pick(INTERESTING);
    case 3:
      return value >= 2 ** 53 ? 0 : Number(BigInt(Math.trunc(value)) ^ (1n << BigInt(random.below(33))));
    case 4:
      return random.below(2 ** 32);
    default:
      return random.pick(INTERESTING);
  }
}

/** Bytes without any structure: turned, taken out, doubled, put in, from elsewhere. */
export function mutateBytes(
  input: Uint8Array,
  other: Uint8Array,
  random: Random,
  words: readonly string[] = [],
): Uint8Array {
  const at = random.below(input.length + 1);
  const length = 1 + random.below(random.pick([4, 16, 64, 512]));
  const cut = (by: Uint8Array, skip = 0) => concat(input.subarray(0, at), by, input.subarray(at + skip));
  switch (random.below(words.length > 0 ? 11 : 9)) {
    case 0:
      return input.slice(0, at);
    case 1:
      return cut(new Uint8Array(0), length);
    case 2:
      return cut(input.subarray(at, at + length));
    case 3:
      return cut(random.bytes(random.below(8)));
    case 4: {
      const from = random.below(other.length + 1);
      return cut(other.subarray(from, from + length), random.once(2) ? length : 0);
    }
    case 5:
      return concat(input.subarray(0, at), other.subarray(random.below(other.length + 1)));
    case 6: {
      const copy = input.slice();
      const width = random.pick([1, 2, 4, 8]);
      putNumber(copy, at, width, otherNumber(getNumber(copy, at, width), random));
      return copy;
    }
    case 7: {
      const copy = input.slice();
      copy.fill(random.pick([0, 0xff, 0x2f, 0x20, random.below(256)]), at, at + length);
      return copy;
    }
    case 8: {
      const copy = input.slice();
      if (copy.length > 0) copy[at % copy.length] ^= 1 << random.below(8);
      return copy;
    }
    default:
      return cut(Buffer.from(random.pick(words), "latin1"), random.once(2) ? length : 0);
  }
}

export const concat = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
