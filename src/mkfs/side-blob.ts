import { CHUNK_INDEX_SIZE } from "../erofs/chunk.ts";
import type { Piece } from "../tar/entry.ts";
import { BLOCK, BLOCK_BITS, chunkCount, MAX_BITS, MAX_CHUNKS } from "./chunk-map.ts";
import type { Fail } from "./archive-paths.ts";
import { type BlobPiece, placeOf, type Tree } from "./tree.ts";

/** Numbers of the blobs of a layer's tree. */
export const TAR_BLOB = 0;
const SIDE_BLOB = 1;

/** Bytes of a side blob: 4 GiB. A tar of a few bytes could ask for any number. */
const MAX_SIZE = 2 ** 32;

/** Bytes of the tar that go into the side blob. */
export interface Copy {
  readonly dataAt: number;
  readonly sideAt: number;
  readonly length: number;
}

/** Bytes `[from, to)` of a file: whole chunks, the last one as far as the file goes. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/**
 * What of a layer's sparse files cannot be said in blocks of its tar, to be copied into a blob of its own: chunks
 * that mix data and holes, or whose data begins inside a block. Only lays out; `writeSideBlob` copies.
 */
export class SideBlob {
  /** Bytes, a multiple of a block; 0 while no file needs one. */
  size = 0;
  /** In the order of the side blob; what none of them covers is zeros. */
  readonly copies: Copy[] = [];
  /** Path of the first file that needs it. */
  first: Uint8Array | undefined;

  /**
   * Gives a sparse file a map in chunks: those that must be copied lie here.
   *
   * @param path for messages
   * @param fail throws, given what is wrong
   */
  add(tree: Tree, inode: number, path: Uint8Array, fail: Fail): void {
    const size = tree.size[inode];
    const pieces = tree.pieces.get(inode) ?? [];
    const runs: Run[] = [];
    forEachMixedRun(pieces, size, cheapestBits(pieces, size), (from, to) => runs.push({ from, to }));
    const total = runs.reduce((sum, run) => sum + copiedBytes(run), this.size);
    if (total > MAX_SIZE)
      fail(`copies of sparse files that do not lie in chunks take ${total} bytes, want at most ${MAX_SIZE}`);
    this.first ??= path;
    const placed = this.place(pieces, runs);
    const place = placeOf(placed, size);
    if (place.pieces === undefined) {
      tree.pieces.delete(inode);
      tree.blob[inode] = place.blob;
      tree.where[inode] = place.where;
    } else tree.pieces.set(inode, place.pieces);
  }

  /** Cuts pieces at the ends of the runs that are copied, each of which becomes a piece of its own. */
  private place(pieces: readonly BlobPiece[], runs: readonly Run[]): BlobPiece[] {
    const placed: BlobPiece[] = [];
    let next = 0;
    /** The last run met, and where it lies. */
    let run: Run = { from: 0, to: 0 };
    let runAt = 0;
    for (const { offset, length: whole, dataAt, blob } of pieces) {
      for (let done = 0, length = 0; done < whole; done += length) {
        const at = offset + done;
        if (next < runs.length && at >= runs[next].from) {
          run = runs[next++];
          runAt = this.size;
          this.size += copiedBytes(run);
          placed.push({ offset: run.from, length: run.to - run.from, dataAt: runAt, blob: SIDE_BLOB });
        }
        const isCopied = at < run.to;
        const end = isCopied ? run.to : next < runs.length ? runs[next].from : Number.POSITIVE_INFINITY;
        length = Math.min(whole - done, end - at);
        if (isCopied) this.copies.push({ dataAt: dataAt + done, sideAt: runAt + at - run.from, length });
        else placed.push({ offset: at, length, dataAt: dataAt + done, blob });
      }
    }
    return placed;
  }
}

const copiedBytes = ({ from, to }: Run): number => chunkCount(to - from, BLOCK_BITS) * BLOCK;

/** The chunk size, as log2, that makes index and copies together least. */
function cheapestBits(pieces: readonly Piece[], size: number): number {
  let best = MAX_BITS;
  let least = Number.POSITIVE_INFINITY;
  for (let bits = BLOCK_BITS; bits <= MAX_BITS; bits++) {
    if (chunkCount(size, bits) > MAX_CHUNKS) continue;
    let copied = 0;
    forEachMixedRun(pieces, size, bits, (from, to) => {
      copied += copiedBytes({ from, to });
    });
    if (copied >= least) break; // larger chunks copy no less
    const cost = CHUNK_INDEX_SIZE * chunkCount(size, bits) + copied;
    if (cost >= least) continue;
    best = bits;
    least = cost;
  }
  return best;
}

/** Calls back for each run of chunks that hold data, but are not wholly one piece's from a block of the tar on. */
function forEachMixedRun(
  pieces: readonly Piece[],
  size: number,
  bits: number,
  each: (from: number, to: number) => void,
): void {
  const chunk = 2 ** bits;
  const down = (at: number) => Math.floor(at / chunk) * chunk; // a remainder takes ten times as long
  const up = (at: number) => down(at + chunk - 1);
  // The run that may go on: the next piece may lie in its last chunk, too, or in the one after that.
  let from = 0;
  let to = 0;
  const add = (start: number, end: number) => {
    if (start >= end) return;
    if (start > to) {
      if (from < to) each(from, to);
      from = start;
    }
    to = end;
  };
  for (const { offset, length, dataAt } of pieces) {
    const end = offset + length;
    const wholeFrom = up(offset);
    const wholeTo = end === size ? up(end) : down(end);
    if ((dataAt - offset) % BLOCK === 0 && wholeFrom < wholeTo) {
      add(down(offset), wholeFrom);
      add(wholeTo, up(end));
    } else add(down(offset), up(end));
  }
  if (from < to) each(from, Math.min(to, size));
}
