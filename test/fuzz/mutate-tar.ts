import { octal, records } from "../tar/emit.ts";
import { concat, INTERESTING, mutateBytes, otherNumber } from "./mutate.ts";
import type { Random } from "./random.ts";
import { KEYS, MAGICS, NAMES, NUMBERS, TEXTS, TYPES } from "./tar-words.ts";

const BLOCK = 512;

/** Where a header may be: blocks whose magic or checksum look like one. */
export function headersOf(tar: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 0; at + BLOCK <= tar.length; at += BLOCK)
    if ((tar[at + 257] === 0x75 && tar[at + 258] === 0x73) || (tar[at] !== 0 && tar[at + 155] === 0x20))
      found.push(at);
  return found;
}

/** Makes the checksum right. */
export function sign(tar: Uint8Array, at: number): void {
  tar.fill(0x20, at + 148, at + 156);
  const sum = tar.subarray(at, at + BLOCK).reduce((a, b) => a + b, 0);
  tar.set(Buffer.from(`${sum.toString(8).padStart(6, "0")}\0 `), at + 148);
}

/** A tar whose headers, records or order are others; nearly all checksums are right. */
export function mutateTar(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const headers = headersOf(input);
  if (headers.length === 0 || random.once(12)) return mutateBytes(input, other, random, NAMES);
  const at = random.pick(headers);
  const copy = input.slice();
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      mutateHeader(copy, at, random);
      break;
    case 3:
      return withBlocks(copy, at, pax(random));
    case 4: // a header with what follows it, from elsewhere or once more
      return withBlocks(copy, random.pick(headers), member(random.once(2) ? other : input, random));
    case 5: {
      const size = member(copy, random, at).length;
      return concat(copy.subarray(0, at), copy.subarray(at + size));
    }
    case 6:
      mutateRecords(copy, at + BLOCK, random);
      break;
    default:
      return copy.subarray(0, random.once(2) ? at : at + random.below(1025));
  }
  if (!random.once(50)) sign(copy, at);
  return copy;
}

function mutateHeader(tar: Uint8Array, at: number, random: Random): void {
  const put = (place: number, width: number, text: string) => {
    tar.fill(0, at + place, at + place + width);
    tar.set(Buffer.from(text.slice(0, width), "latin1"), at + place);
  };
  const kind = random.below(10);
  if (kind < 4) {
    const [place, width] = random.pick(NUMBERS);
    put(
      place,
      width,
      numberText(
        Number.parseInt(Buffer.from(tar.subarray(at + place, at + place + width)).toString("latin1"), 8) || 0,
        width,
        random,
      ),
    );
  } else if (kind < 6) tar[at + 156] = random.pick(TYPES).charCodeAt(0);
  else if (kind < 8) {
    const [place, width] = random.pick(TEXTS);
    put(place, width, random.pick(NAMES));
  } else if (kind === 8) put(257, 8, random.pick(MAGICS));
  else tar[at + random.below(BLOCK)] = random.below(256);
}

/** As writers put numbers, or nearly so. */
function numberText(old: number, width: number, random: Random): string {
  const value = otherNumber(old, random);
  switch (random.below(6)) {
    case 0: {
      const big = BigInt.asUintN(8 * width, BigInt(Math.trunc(value)));
      const bytes = Buffer.from(big.toString(16).padStart(2 * width, "0"), "hex");
      bytes[0] |= 0x80;
      return bytes.toString("latin1");
    }
    case 1:
      return random.pick(["-1", "        ", "0x10", "9", "1e3", "+1", "17777777777", "\xff".repeat(12), ""]);
    default:
      return octal(Math.abs(Math.trunc(value)) % 8 ** (width - 1), width);
  }
}

function pax(random: Random): Uint8Array {
  const all: Record<string, string> = {};
  for (let n = 1 + random.below(4); n > 0; n--) all[random.pick(KEYS)] = value(random);
  const data = Buffer.from(
    random.once(20) ? `${random.below(200)} ${random.pick(KEYS)}=x\n` : records(all),
    "latin1",
  );
  const header = new Uint8Array(BLOCK);
  header.set(Buffer.from("pax"));
  header.set(Buffer.from(octal(data.length, 12)), 124);
  header[156] = random.pick("xxxgXLK").charCodeAt(0);
  header.set(Buffer.from("ustar\x0000"), 257);
  sign(header, 0);
  return concat(header, data, new Uint8Array(-data.length & (BLOCK - 1)));
}

function value(random: Random): string {
  switch (random.below(5)) {
    case 0:
      return random.pick(NAMES);
    case 1:
      return Array.from({ length: 2 * (1 + random.below(6)) }, () => random.pick(INTERESTING)).join(",");
    case 2:
      return `${random.pick(INTERESTING)}.${random.below(2 ** 32)}`;
    default:
      return String(random.pick(INTERESTING));
  }
}

/** Turns a digit, so that lengths of records do not fit. */
function mutateRecords(tar: Uint8Array, from: number, random: Random): void {
  for (let i = from + random.below(BLOCK); i < tar.length && i < from + BLOCK; i++)
    if (tar[i] >= 0x30 && tar[i] <= 0x39) {
      tar[i] = 0x30 + random.below(10);
      return;
    }
}

const withBlocks = (tar: Uint8Array, at: number, blocks: Uint8Array): Uint8Array =>
  concat(tar.subarray(0, at), blocks, tar.subarray(at));

/** A header and its data, as far as they are there. */
function member(tar: Uint8Array, random: Random, at = random.pick([0, ...headersOf(tar)])): Uint8Array {
  const size = Number.parseInt(Buffer.from(tar.subarray(at + 124, at + 135)).toString("latin1"), 8) || 0;
  return tar.slice(at, at + BLOCK + ((Math.min(size, 1 << 20) + BLOCK - 1) & -BLOCK));
}
