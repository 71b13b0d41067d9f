import type { BlobPiece } from "../mkfs/tree.ts";
import { piecesOf } from "./pieces.ts";
import type { Side } from "./side.ts";

const STEP = 256 << 10;
const NOTHING: BlobPiece = { offset: Number.POSITIVE_INFINITY, length: 0, dataAt: 0, blob: 0 };

/** Compares bytes of files of one size; holes of both are not read, however long they are. */
export class DataComparer {
  private readonly before: Side;
  private readonly after: Side;
  private readonly one = Buffer.allocUnsafe(STEP);
  private readonly other = Buffer.allocUnsafe(STEP);

  constructor(before: Side, after: Side) {
    this.before = before;
    this.after = after;
  }

  /** @throws OperationalError when the bytes of one cannot be read */
  hasSame(i: number, j: number): boolean {
    const a = piecesOf(this.before.image.tree, i);
    const b = piecesOf(this.after.image.tree, j);
    const size = this.before.image.tree.size[i] as number;
    let [p, q] = [0, 0];
    for (let at = 0; at < size; ) {
      while (endOf(a[p]) <= at) p++;
      while (endOf(b[q]) <= at) q++;
      const x = a[p] ?? NOTHING;
      const y = b[q] ?? NOTHING;
      const until = Math.min(size, boundary(x, at), boundary(y, at));
      const isHole = x.offset > at && y.offset > at;
      if (!isHole && !this.hasSameRun(x, y, at, until)) return false;
      at = until;
    }
    return true;
  }

  private hasSameRun(x: BlobPiece, y: BlobPiece, from: number, until: number): boolean {
    for (let at = from; at < until; at += STEP) {
      const length = Math.min(STEP, until - at);
      const one = bytesAt(this.before, x, at, this.one.subarray(0, length));
      const other = bytesAt(this.after, y, at, this.other.subarray(0, length));
      if (!one.equals(other)) return false;
    }
    return true;
  }
}

const endOf = (piece: BlobPiece | undefined): number =>
  piece === undefined ? Number.POSITIVE_INFINITY : piece.offset + piece.length;

/** Where the next change between data and hole is. */
const boundary = (piece: BlobPiece, at: number): number =>
  piece.offset > at ? piece.offset : piece.offset + piece.length;

function bytesAt({ read }: Side, { offset, dataAt, blob }: BlobPiece, at: number, into: Buffer): Buffer {
  if (offset > at) into.fill(0);
  else read(blob, dataAt + at - offset, into);
  return into;
}
