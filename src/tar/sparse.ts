import { alignUp } from "../bytes/u64.ts";
import type { Piece } from "./entry.ts";
import type { Extensions } from "./extensions.ts";
import { mustBeSize, numberField, sparseSize } from "./fields.ts";
import { BLOCK } from "./header-block.ts";
import { WIDE } from "./number.ts";
import { addHeaderPairs, addMorePairs, sparseForm } from "./old-sparse.ts";
import * as pax from "./pax.ts";
import { addListedPairs, addMapPairs, addRecordPairs, mapLength } from "./pax-sparse.ts";
import { PieceList, type Refuse } from "./piece-list.ts";

/** Bytes of one sparse map outside the header; a longer one is refused. Go takes 1 MiB. */
const MAX_MAP = 4 << 20;

/** A sparse file's pieces and where its stored bytes are. */
export interface Sparse {
  readonly size: number;
  readonly dataAt: number;
  /** Bytes from `dataAt` on, without padding. */
  readonly stored: number;
  readonly pieces: readonly Piece[];
}

/** Bytes that may be there or not yet. */
export interface Window {
  /** How many bytes from `at` on are there; fewer than `wanted` means that more will come. */
  available(at: number, wanted: number): number;
  view(at: number, length: number): Uint8Array;
}

/** Which form of pax sparse file the records tell of; "" when none. */
export function paxSparseForm(ext: Extensions, refuse: Refuse): "" | "0.0" | "0.1" | "1.0" {
  if (!ext.isSparse) return "";
  const text = (key: number): string => {
    const value = ext.value(key);
    return value === undefined ? "" : Buffer.from(value.b.subarray(value.from, value.to)).toString("latin1");
  };
  const version = `${text(pax.SPARSE_MAJOR)}.${text(pax.SPARSE_MINOR)}`;
  if (version === "1.0") return "1.0";
  // 0.0 and the first 0.1 did not name their version.
  if (version !== "." && version !== "0.0" && version !== "0.1")
    return refuse(`sparse format ${JSON.stringify(version)} is unknown`);
  if (ext.value(pax.SPARSE_MAP) !== undefined) return "0.1";
  return ext.pieces.length > 0 || ext.value(pax.SPARSE_SIZE) !== undefined ? "0.0" : "";
}

/** The pieces that records give; `stored` bytes are at `dataAt`. */
export function recordSparse(ext: Extensions, dataAt: number, stored: number, refuse: Refuse): Sparse {
  const size = sparseSize(ext, refuse);
  const list = new PieceList(size, stored, refuse);
  const map = ext.value(pax.SPARSE_MAP);
  if (map === undefined && ext.pieces.length === 0 && stored > 0) refuse("a sparse size, but no sparse map");
  if (map !== undefined) addListedPairs(list, map, refuse);
  else addRecordPairs(list, ext.pieces, refuse);
  return { size, dataAt, stored, pieces: list.placed(dataAt) };
}

/** The pieces that a map before the data gives; undefined when it is not there yet. */
export function mapSparse(
  w: Window,
  ext: Extensions,
  mapAt: number,
  stored: number,
  refuse: Refuse,
): Sparse | undefined {
  const size = sparseSize(ext, refuse);
  const most = Math.min(stored, MAX_MAP);
  for (let wanted = BLOCK; ; wanted *= 8) {
    const length = Math.min(wanted, most);
    const there = w.available(mapAt, length);
    const end = mapLength(w.view(mapAt, there), refuse);
    if (end > 0) {
      const dataAt = mapAt + alignUp(end, BLOCK);
      const rest = Math.max(0, stored - alignUp(end, BLOCK));
      const list = new PieceList(size, rest, refuse);
      addMapPairs(list, w.view(mapAt, end), refuse);
      return { size, dataAt, stored: rest, pieces: list.placed(dataAt) };
    }
    if (there < length) return undefined;
    if (length === most) return refuse(`sparse map does not end within ${most} bytes`);
  }
}

/** The pieces of a header of type 'S' and the blocks after it; undefined when those are not there yet. */
export function oldSparse(
  w: Window,
  h: Uint8Array,
  dataAt: number,
  stored: number,
  refuse: Refuse,
): Sparse | undefined {
  const form = sparseForm(h);
  if (form === undefined) return refuse("type S, but neither GNU tar's magic nor star's");
  const size = mustBeSize(numberField(h, form.realSize, WIDE, "sparse size", refuse), "sparse size", refuse);
  const list = new PieceList(size, stored, refuse);
  let isMore = addHeaderPairs(list, h, form, refuse);
  let at = dataAt;
  for (; isMore; at += BLOCK) {
    if (at - dataAt >= MAX_MAP) refuse(`sparse map does not end within ${MAX_MAP} bytes`);
    if (w.available(at, BLOCK) < BLOCK) return undefined;
    isMore = addMorePairs(list, w.view(at, BLOCK), refuse);
  }
  return { size, dataAt: at, stored, pieces: list.placed(at) };
}
