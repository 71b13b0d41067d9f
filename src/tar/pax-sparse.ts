import { readDecimal, showField } from "./number.ts";
import type { PaxValue } from "./pax.ts";
import type { PieceList, Refuse } from "./piece-list.ts";

/**
 * GNU tar's sparse files in pax archives. Source: GNU tar manual, "Storing Sparse Files".
 * 0.0: a record for each number. 0.1: one record, numbers with commas between. 1.0: the map lies before the
 * data, decimal numbers that end in newlines, how many pairs first, padded to a block.
 */
const COMMA = 0x2c;
const NEWLINE = 0x0a;

/** Adds pieces from records that hold one number each. */
export function addRecordPairs(list: PieceList, values: readonly PaxValue[], refuse: Refuse): void {
  let offset: number | undefined;
  for (const { b, from, to } of values) {
    const number = decimal(b, from, to, refuse);
    if (offset === undefined) offset = number;
    else {
      list.add(offset, number);
      offset = undefined;
    }
  }
  if (offset !== undefined) refuse("sparse map has an offset without a length");
}

/** Adds pieces from a record of all numbers. */
export function addListedPairs(list: PieceList, { b, from, to }: PaxValue, refuse: Refuse): void {
  let offset = -1;
  for (let at = from; at <= to; ) {
    const comma = b.indexOf(COMMA, at);
    const end = comma < 0 || comma > to ? to : comma;
    const value = decimal(b, at, end, refuse);
    if (offset < 0) offset = value;
    else {
      list.add(offset, value);
      offset = -1;
    }
    at = end + 1;
  }
  if (offset >= 0) refuse("sparse map has an offset without a length");
}

/**
 * Finds the end of a 1.0 map as far as its bytes are there.
 *
 * @returns bytes of the map, without padding; 0 when it goes on beyond `b`
 */
export function mapLength(b: Uint8Array, refuse: Refuse): number {
  const first = b.indexOf(NEWLINE);
  if (first < 0) return 0;
  let wanted = 2 * decimal(b, 0, first, refuse);
  let end = first;
  for (; wanted > 0; wanted--) {
    end = b.indexOf(NEWLINE, end + 1);
    if (end < 0) return 0;
  }
  return end + 1;
}

/** Adds the pieces of a whole 1.0 map. */
export function addMapPairs(list: PieceList, b: Uint8Array, refuse: Refuse): void {
  let at = b.indexOf(NEWLINE) + 1;
  const next = () => {
    const end = b.indexOf(NEWLINE, at);
    const value = decimal(b, at, end, refuse);
    at = end + 1;
    return value;
  };
  while (at < b.length) {
    const offset = next();
    list.add(offset, next());
  }
}

function decimal(b: Uint8Array, from: number, to: number, refuse: Refuse): number {
  const value = readDecimal(b, from, to);
  if (Number.isNaN(value))
    refuse(`sparse map has ${showField(b, from, Math.min(to - from, 24))}, want a number`);
  return value;
}
