import { FormatError } from "../bytes/errors.ts";
import { alignUp } from "../bytes/u64.ts";
import type { TarEntry } from "./entry.ts";
import { EntryReader } from "./entry-reader.ts";
import { Extensions, MAX_EXTENSION } from "./extensions.ts";
import { SIZE } from "./header.ts";
import { BLOCK, HeaderBlock } from "./header-block.ts";
import { readNumber, showField, WIDE } from "./number.ts";
import { isExtension, typeOf } from "./type.ts";

/** The bytes of a tar. */
export interface TarBytes {
  /** A view of exactly `[at, at + length)`, valid until the next call. */
  view(at: number, length: number): Uint8Array;
}

export interface TarOptions {
  /** Reads on behind end markers, as `tar --ignore-zeros`: for archives that were joined. */
  readonly ignoreZeros?: boolean;
  /** `next` answers "more" after many headers that make no entry, also at the end: whoever reads may hear a signal then. */
  readonly pauses?: boolean;
  /** Told what is odd but readable. */
  readonly warn?: (message: string) => void;
}

/** Headers, or blocks of zeros, without an entry. */
const STEPS_A_PAUSE = 4096;

const ZEROS = Buffer.alloc(BLOCK);

/** @param b at most a block */
const isZero = (b: Uint8Array): boolean => ZEROS.compare(b, 0, b.length, 0, b.length) === 0;

/**
 * Reads the entries of a tar, one a call, from headers alone: the data of files are jumped over.
 *
 * v7, ustar, GNU, star and pax archives, mixed as they come. Memory is bounded whatever the archive says.
 */
export class TarReader {
  private readonly source: TarBytes;
  private readonly file: string;
  private readonly ignoreZeros: boolean;
  private readonly stepsAtOnce: number;
  private readonly warn: (message: string) => void;
  private readonly extensions: Extensions;
  private readonly entries: EntryReader;
  private readonly header = new HeaderBlock();
  /** The next header, and the first extension header that belongs to the same entry, or -1. */
  private cursor = 0;
  private first = -1;
  private limit = 0;
  private isEnd = false;
  private isOver = false;
  private hasHeader = false;

  /**
   * @param source gives bytes below the `limit` of the call of `next` that is under way
   * @param file path, used only in messages
   */
  constructor(source: TarBytes, file: string, options: TarOptions = {}) {
    this.source = source;
    this.file = file;
    this.ignoreZeros = options.ignoreZeros ?? false;
    this.stepsAtOnce = options.pauses ? STEPS_A_PAUSE : Number.POSITIVE_INFINITY;
    this.warn = options.warn ?? (() => {});
    this.extensions = new Extensions(file);
    const available = (at: number, wanted: number) => Math.max(0, Math.min(wanted, this.limit - at));
    const window = { available, view: (at: number, length: number) => source.view(at, length) };
    this.entries = new EntryReader(window, file, this.warn);
  }

  /** Where the archive ends, its end marker included; valid once `next` returned undefined. */
  get end(): number {
    return Math.min(this.cursor, this.limit);
  }

  /** No header was found so far: nothing shows yet that this is a tar. */
  get isBlank(): boolean {
    return !this.hasHeader;
  }

  /** No byte below this one is asked for any more. */
  get position(): number {
    return this.cursor;
  }

  /**
   * The next entry, as soon as its headers and sparse map are there.
   *
   * @param limit bytes of the tar that exist so far
   * @param isEnd no more will come
   * @returns "more" when bytes beyond `limit` are needed and will come; undefined at the end of the archive
   * @throws FormatError naming entry and byte if the archive is damaged, or ends within an entry's data
   */
  next(limit: number, isEnd: boolean): TarEntry | "more" | undefined {
    this.limit = limit;
    this.isEnd = isEnd;
    for (let steps = 0; !this.isOver; steps++) {
      if (steps === this.stepsAtOnce) return "more";
      this.checkData();
      const found = this.step();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Reads one header and what belongs to it; undefined when that makes no entry yet, or the end. */
  private step(): TarEntry | "more" | undefined {
    const at = this.cursor;
    if (at + BLOCK > this.limit) return this.isEnd ? this.endWithout(at) : "more";
    this.header.set(this.source.view(at, BLOCK));
    if (this.header.isZero) return this.zeroBlock(at);
    const problem = this.header.checksumProblem();
    if (problem !== undefined) this.refuse(problem, at);
    this.hasHeader = true;
    const h = this.header.bytes;
    const type = typeOf(h);
    if (isExtension(type)) return this.extension(h, at, type.letter);
    const entry = this.entries.read(h, at, this.first < 0 ? at : this.first, type, this.extensions);
    if (entry === undefined) return this.isEnd ? this.entries.refuse(this.endsIn("its sparse map")) : "more";
    this.extensions.clear();
    this.first = -1;
    this.cursor = alignUp(this.entries.dataEnd, BLOCK);
    this.checkData();
    return entry;
  }

  private extension(h: Uint8Array, at: number, letter: string): "more" | undefined {
    const size = readNumber(h, SIZE, WIDE);
    if (!(size >= 0 && size <= MAX_EXTENSION)) {
      const found = showField(h, SIZE, WIDE);
      this.refuse(
        `extension header of type ${letter} has size ${found}, want 0 to ${MAX_EXTENSION} bytes`,
        at,
      );
    }
    const dataAt = at + BLOCK;
    if (dataAt + size > this.limit)
      return this.isEnd ? this.refuse(this.endsIn(`this extension header of type ${letter}`), at) : "more";
    if (this.first < 0 && letter !== "g" && letter !== "V") this.first = at;
    this.extensions.take(letter, this.source.view(dataAt, size), dataAt);
    this.cursor = dataAt + alignUp(size, BLOCK);
    return undefined;
  }

  /** Two zero blocks, or one that is the last of the tar, end the archive; a lone one is skipped. */
  private zeroBlock(at: number): "more" | undefined {
    this.mustBeWhole();
    const isLast = at + 2 * BLOCK > this.limit;
    if (!this.ignoreZeros && isLast && !this.isEnd) return "more";
    this.cursor = at + BLOCK;
    if (this.ignoreZeros) return undefined;
    if (isLast) return this.endWithout(at + BLOCK);
    if (isZero(this.source.view(at + BLOCK, BLOCK))) {
      this.cursor = at + 2 * BLOCK;
      this.isOver = true;
    } else this.warn(`a lone block of zeros at byte ${at}`);
    return undefined;
  }

  /** The tar ends less than a block after `at`, without an end marker: nothing may be lost by that. */
  private endWithout(at: number): undefined {
    this.mustBeWhole();
    const rest = Math.max(0, this.limit - at);
    if (rest > 0 && !isZero(this.source.view(at, rest)))
      this.refuse(`${rest} bytes are no header: the tar is cut off, or this is no tar`, at);
    this.cursor = at + rest;
    this.isOver = true;
  }

  private mustBeWhole(): void {
    if (this.first >= 0) this.refuse("no entry follows this extension header", this.first);
  }

  /** Padding may be missing at the end of a tar, data may not. */
  private checkData(): void {
    if (this.isEnd && this.entries.dataEnd > this.limit) this.entries.refuse(this.endsIn("its data"));
  }

  private endsIn(what: string): string {
    return `the tar ends in ${what}, at byte ${this.limit}`;
  }

  private refuse(problem: string, at: number): never {
    throw new FormatError(problem, { file: this.file, at });
  }
}
