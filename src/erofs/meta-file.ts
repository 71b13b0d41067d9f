import { readSync } from "node:fs";
import { FormatError } from "../bytes/errors.ts";

/** Bytes read at once. A bootstrap of eight megabytes takes eight reads. */
const GRANULE = 1 << 20;
/** Metadata lies below it: a Uint8Array of Node 20 ends at 2^32 bytes. Behind it an image has data. */
const MAX_ADDRESSED = 2 ** 32;
/**
 * Most that is read of it: an image of holes is small wherever it is kept and sent, and must not become memory. Eight
 * million files take as much; mkfs.erofs 1.9 spreads the metadata of a flat image of 4 GiB over less.
 */
export const MAX_METADATA = 2 ** 30;

/** Tells blocks of an image from what was put in their place. */
export interface BlockCheck {
  readonly blockSize: number;
  isRight(block: number, bytes: Uint8Array): boolean;
  /** What is wrong with the block that was not right just now. */
  problem(block: number): string;
}

/**
 * The image file as one shared buffer that is read once, where it is needed.
 *
 * A bootstrap is metadata from end to end and is read whole. A plain EROFS or flattened disk image is mostly
 * file data: opening reads just the granules that hold metadata, the rest of the buffer stays untouched zero
 * pages that cost no memory. Everything a server may look at is read by the time the tree is checked.
 */
export class MetaFile {
  readonly shared: SharedArrayBuffer;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly size: number;
  /** Bytes of it that can be read by `need`: all, or the first ones. */
  readonly addressed: number;
  readonly file: string;
  private readonly image: number | Uint8Array;
  /** A byte a granule: whether it was read. */
  readonly loaded: Uint8Array;
  private bytesLoaded = 0;
  private readonly check: BlockCheck | undefined;
  /** What is wrong, by block; those blocks are zeros here. */
  private readonly wrong = new Map<number, string>();

  /**
   * @param image a descriptor of the file, or its bytes
   * @param check what is made readable is held to it
   */
  constructor(image: number | Uint8Array, size: number, file: string, check?: BlockCheck) {
    this.image = image;
    this.check = check;
    this.file = file;
    this.size = size;
    this.addressed = Math.min(size, MAX_ADDRESSED);
    this.shared = new SharedArrayBuffer(this.addressed);
    this.bytes = new Uint8Array(this.shared);
    this.view = new DataView(this.shared);
    this.loaded = new Uint8Array(Math.ceil(this.addressed / GRANULE));
  }

  /**
   * Makes `[at, at + length)` readable.
   *
   * @throws FormatError if the range is not inside the file, the file ended early, it is more than may be read, or not what the
   *   check wants
   */
  need(at: number, length: number): void {
    this.mustHold(at, length);
    const first = Math.floor(at / GRANULE);
    const end = Math.ceil((at + length) / GRANULE);
    let missing = 0;
    for (let g = first; g < end; g++) if (this.loaded[g] === 0) missing++;
    if (this.bytesLoaded + missing * GRANULE > MAX_METADATA)
      throw new FormatError(`more than ${MAX_METADATA} bytes of metadata`, { file: this.file, at });
    this.bytesLoaded += missing * GRANULE;
    for (let g = first; missing > 0; g++)
      if (this.loaded[g] === 0) {
        this.load(g);
        missing--;
      }
    if (this.wrong.size > 0) this.mustBeRight(at, length);
  }

  /** Pieces of `[at, end)` in their order: bytes that were read, undefined for what was not. */
  *pieces(at: number, end: number): Generator<{ at: number; end: number; bytes: Uint8Array | undefined }> {
    for (let from = at; from < end; ) {
      const isLoaded = this.loaded[Math.floor(from / GRANULE)] === 1;
      let to = from;
      while (to < end && (this.loaded[Math.floor(to / GRANULE)] === 1) === isLoaded)
        to = Math.min(end, (Math.floor(to / GRANULE) + 1) * GRANULE);
      yield { at: from, end: to, bytes: isLoaded ? this.bytes.subarray(from, to) : undefined };
      from = to;
    }
  }

  /** Reads what another one had read. */
  loadAll(loaded: Uint8Array): void {
    for (let g = 0; g < this.loaded.length; g++) if (loaded[g] === 1 && this.loaded[g] === 0) this.load(g);
  }

  /** @throws FormatError if `[at, at + length)` is not inside the file, or too far behind its beginning */
  mustHold(at: number, length: number): void {
    if (at + length <= this.addressed && at >= 0) return;
    if (at + length <= this.size && at >= 0)
      throw new FormatError(`metadata behind byte ${MAX_ADDRESSED} of an image cannot be read`, {
        file: this.file,
        at,
      });
    throw new FormatError(`${length} bytes wanted here, but the image ends at 0x${this.size.toString(16)}`, {
      file: this.file,
      at,
    });
  }

  private load(granule: number): void {
    const start = granule * GRANULE;
    const end = Math.min(start + GRANULE, this.addressed);
    if (typeof this.image !== "number") this.bytes.set(this.image.subarray(start, end), start);
    else this.read(this.image, start, end);
    this.loaded[granule] = 1;
    if (this.check !== undefined) this.checkBlocks(this.check, start, end);
  }

  /** Data may be wrong that lie among metadata: who reads them will see. */
  private checkBlocks(check: BlockCheck, start: number, end: number): void {
    for (let at = start; at < end; at += check.blockSize) {
      const bytes = this.bytes.subarray(at, Math.min(at + check.blockSize, end));
      const block = at / check.blockSize;
      if (check.isRight(block, bytes)) continue;
      this.wrong.set(block, check.problem(block));
      bytes.fill(0);
    }
  }

  private mustBeRight(at: number, length: number): void {
    const size = this.check?.blockSize ?? 1;
    for (let block = Math.floor(at / size); block * size < at + length; block++) {
      const problem = this.wrong.get(block);
      if (problem !== undefined) throw new FormatError(problem, { file: this.file, at: block * size });
    }
  }

  private read(fd: number, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const n = readSync(fd, this.bytes, at, end - at, at);
      if (n === 0)
        throw new FormatError("the image became shorter while it was read", { file: this.file, at });
      at += n;
    }
  }
}
