import { type Profiler, Session } from "node:inspector";

/** Compiled sources; what tests and packages do guides nobody. */
const OWN = /\/dist\/src\/(.*)$/;

/** A function, and which characters of it ran: 1 each. */
interface Ran {
  readonly key: string;
  readonly marks: Uint8Array;
}

/**
 * Which parts of the sources have run: V8's own block counters, read after many inputs at once, because one reading
 * takes as long as some inputs do (docs/decisions/0018-fuzzing.md). V8 joins blocks that ran equally often, so that
 * characters are compared and not blocks.
 */
export class Coverage {
  private readonly session = new Session();
  private readonly seen = new Map<string, Uint8Array>();
  private sum = 0;

  start(): void {
    this.session.connect();
    this.session.post("Profiler.enable");
    this.session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Characters of the sources that ran at any time. */
  get characters(): number {
    return this.sum;
  }

  /** What ran since this was called last. */
  take(): Ran[] {
    let taken: readonly Profiler.ScriptCoverage[] = [];
    // Answered before `post` returns: the session is of this thread.
    this.session.post("Profiler.takePreciseCoverage", (error, { result }) => {
      if (error) throw error;
      taken = result;
    });
    const ran: Ran[] = [];
    for (const { url, functions } of taken) {
      const name = OWN.exec(url)?.[1];
      if (name === undefined) continue;
      for (const each of functions) if (each.ranges[0].count > 0) ran.push(ranOf(name, each));
    }
    return ran;
  }

  /** Whether some of it was never seen before. */
  isNew(ran: readonly Ran[]): boolean {
    return ran.some(({ key, marks }) => {
      const seen = this.seen.get(key);
      return seen === undefined || marks.some((mark, i) => mark > seen[i]);
    });
  }

  add(ran: readonly Ran[]): void {
    for (const { key, marks } of ran) {
      const seen = this.seen.get(key) ?? new Uint8Array(marks.length);
      this.seen.set(key, seen);
      for (let i = 0; i < marks.length; i++) {
        this.sum += marks[i] > seen[i] ? 1 : 0;
        seen[i] |= marks[i];
      }
    }
  }

  stop(): void {
    this.session.disconnect();
  }
}

/** Ranges lie within the ones before them, and count for themselves. */
function ranOf(file: string, { ranges }: Profiler.FunctionCoverage): Ran {
  const { startOffset: from, endOffset } = ranges[0];
  const marks = new Uint8Array(endOffset - from);
  for (const { startOffset, endOffset: to, count } of ranges)
    marks.fill(count > 0 ? 1 : 0, startOffset - from, to - from);
  return { key: `${file}:${from}-${endOffset}`, marks };
}
