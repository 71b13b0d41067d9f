import type { Piece } from "./entry.ts";

/** Throws a FormatError that names the entry. */
export type Refuse = (problem: string) => never;

/** The pieces of one sparse file, checked as they come. Empty ones are dropped, adjoining ones joined. */
export class PieceList {
  private readonly pieces: Piece[] = [];
  private readonly size: number;
  private readonly stored: number;
  private readonly refuse: Refuse;
  /** Where the last piece ended in the file, and how many bytes all of them have. */
  private end = 0;
  private sum = 0;

  /**
   * @param size bytes of the file, holes included
   * @param stored bytes of it that are in the tar
   */
  constructor(size: number, stored: number, refuse: Refuse) {
    this.size = size;
    this.stored = stored;
    this.refuse = refuse;
  }

  /** Adds a piece, whose bytes are stored after those of the last one. */
  add(offset: number, length: number): void {
    const name = `sparse piece of ${length} bytes at ${offset}`;
    if (offset < 0 || length < 0) this.refuse(`${name}: negative`);
    if (offset < this.end) this.refuse(`${name} begins before the end of the last one, ${this.end}`);
    if (offset + length > this.size) this.refuse(`${name} ends beyond the file's ${this.size} bytes`);
    if (this.sum + length > this.stored)
      this.refuse(`${name} needs more than the ${this.stored} bytes stored`);
    const last = this.pieces.at(-1);
    // Not `this.end`: an empty piece may lie between, behind a hole.
    if (length > 0 && last !== undefined && offset === last.offset + last.length)
      this.pieces[this.pieces.length - 1] = { ...last, length: last.length + length };
    else if (length > 0) this.pieces.push({ offset, length, dataAt: this.sum });
    this.end = offset + length;
    this.sum += length;
  }

  /** All pieces, the first stored byte at `dataAt` of the tar. */
  placed(dataAt: number): Piece[] {
    return this.pieces.map((piece) => ({ ...piece, dataAt: dataAt + piece.dataAt }));
  }
}
