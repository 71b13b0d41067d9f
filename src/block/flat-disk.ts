/** Bytes of a run: in memory, or from a byte on in one of the image's files, where 0 is the image itself. */
type RunSource = { readonly bytes: Uint8Array } | { readonly file: number; readonly from: number };

/** Bytes of a disk that come from one place. */
export interface Run {
  /** Byte of the disk. */
  readonly at: number;
  readonly length: number;
  readonly source: RunSource;
}

/** A part of a run, or, without a source, of a hole: zeros. */
export interface DiskPiece {
  readonly at: number;
  readonly length: number;
  readonly source?: RunSource;
}

/** A disk as runs of bytes and holes between them; nothing of it is in memory but what runs bring along. */
export class FlatDisk {
  readonly size: number;
  /** Sorted, apart from each other, none empty. */
  readonly runs: readonly Run[];

  /** @throws Error when runs overlap or leave the disk: whoever made them has to have checked that */
  constructor(size: number, runs: readonly Run[]) {
    const sorted = runs.filter(({ length }) => length > 0).sort((a, b) => a.at - b.at);
    let end = 0;
    for (const run of sorted) {
      if (run.at < end)
        throw new Error(`a run at ${run.at} begins before the one in front of it ends (${end})`);
      end = run.at + run.length;
    }
    if (end > size) throw new Error(`runs end at ${end}, the disk at ${size}`);
    this.size = size;
    this.runs = sorted;
  }

  /** What `[at, at + length)` of the disk is made of, in order and without gaps; past its end there is nothing. */
  *pieces(at: number, length: number): Generator<DiskPiece> {
    const end = Math.min(at + length, this.size);
    let done = at;
    for (let i = this.firstBehind(at); done < end; i++) {
      const run = this.runs[i];
      const begin = Math.min(run?.at ?? end, end);
      if (begin > done) yield { at: done, length: begin - done };
      if (run === undefined || begin >= end) return;
      const from = Math.max(begin, done);
      const to = Math.min(run.at + run.length, end);
      yield { at: from, length: to - from, source: sourceFrom(run, from - run.at, to - from) };
      done = to;
    }
  }

  /** The run that all of a range lies in, if one does: most reads are of one, and need no list of pieces. */
  runOver(at: number, length: number): Run | undefined {
    const run = this.runs[this.firstBehind(at)];
    return run !== undefined && run.at <= at && run.at + run.length >= at + length ? run : undefined;
  }

  /** Index of the first run that ends behind a byte. */
  private firstBehind(at: number): number {
    let low = 0;
    let high = this.runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const { at: begin, length } = this.runs[middle] as Run;
      if (begin + length <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const sourceFrom = ({ source }: Run, skipped: number, length: number): RunSource =>
  "bytes" in source
    ? { bytes: source.bytes.subarray(skipped, skipped + length) }
    : { file: source.file, from: source.from + skipped };
