import { isGnu, isUstar } from "./header.ts";
import { readNumber, showField, WIDE } from "./number.ts";
import type { PieceList, Refuse } from "./piece-list.ts";

/**
 * Sparse maps of type 'S': pairs of 12-byte numbers, offset and length, in the header, then in blocks of their
 * own between header and data. Source: GNU tar `tar.h` (`struct oldgnu_header`, `star_in_header`,
 * `sparse_header`).
 */
export interface OldSparse {
  readonly map: number; //        4 pairs
  readonly isExtended: number; // 1 byte: not 0 when a block with more pairs follows
  readonly realSize: number; //  12
}
const GNU: OldSparse = { map: 386, isExtended: 482, realSize: 483 };
const STAR: OldSparse = { map: 356, isExtended: 355, realSize: 452 };
const STAR_MAGIC = 508; // "tar\0"
const HEADER_PAIRS = 4;

/** A block with more pairs. */
const MORE_PAIRS = 21;
const MORE_EXTENDED = 504;

const isStar = (h: Uint8Array): boolean =>
  isUstar(h) && [0x74, 0x61, 0x72, 0].every((byte, i) => h[STAR_MAGIC + i] === byte);

/** The form of a header of type 'S', undefined when neither GNU tar nor star wrote it. */
export const sparseForm = (h: Uint8Array): OldSparse | undefined =>
  isGnu(h) ? GNU : isStar(h) ? STAR : undefined;

/** Adds the pairs of a header. @returns whether more of them follow */
export function addHeaderPairs(list: PieceList, h: Uint8Array, form: OldSparse, refuse: Refuse): boolean {
  addPairs(list, h, form.map, HEADER_PAIRS, refuse);
  return h[form.isExtended] !== 0;
}

/** Adds the pairs of a block after it. @returns whether one more follows */
export function addMorePairs(list: PieceList, b: Uint8Array, refuse: Refuse): boolean {
  addPairs(list, b, 0, MORE_PAIRS, refuse);
  return b[MORE_EXTENDED] !== 0;
}

function addPairs(list: PieceList, b: Uint8Array, at: number, count: number, refuse: Refuse): void {
  for (let i = at; i < at + count * 2 * WIDE; i += 2 * WIDE) {
    // As in GNU tar, a pair without a length is the end of the block's pairs.
    if (b[i + WIDE] === 0) return;
    const offset = readNumber(b, i, WIDE);
    const length = readNumber(b, i + WIDE, WIDE);
    if (Number.isNaN(offset) || Number.isNaN(length))
      refuse(
        `sparse map has ${showField(b, i, WIDE)} and ${showField(b, i + WIDE, WIDE)}, want octal numbers`,
      );
    list.add(offset, length);
  }
}
