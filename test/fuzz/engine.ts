import { Coverage } from "./coverage.ts";
import type { Guard } from "./guard.ts";
import { Random } from "./random.ts";
import type { Target, Verdict } from "./target.ts";

/** Inputs between two looks at what ran: at first, and most, doubled while nothing new runs. */
const BATCH = 64;
const MOST = 1024;
/** Into which a batch is divided to find out which input of it ran something new. */
const PARTS = 8;
/** Mutations of an input one on top of the other, at most, as a power of two. */
const MOST_STACKED = 3;

export interface Limits {
  readonly seed: number;
  /** Ends at whichever comes first. */
  readonly runs: number;
  readonly ms: number;
  /** Whether what ran decides what is changed further; without, only the seeds are changed, twice as fast. */
  readonly isGuided: boolean;
}

export interface Tally {
  runs: number;
  accepted: number;
  refused: number;
  corpus: number;
  covered: number;
  ms: number;
  /** Most memory that the process had, MiB. */
  peak: number;
}

/** An input that broke something. */
export class Finding extends Error {
  override readonly name = "Finding";
  readonly input: Uint8Array;
  constructor(input: Uint8Array, cause: unknown) {
    super(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause), { cause });
    this.input = input;
  }
}

/**
 * Feeds a target with changed inputs; those that make something run that never ran before are changed further.
 *
 * @param say told now and then how it goes
 * @throws Finding
 */
export async function fuzz(
  target: Target,
  guard: Guard,
  { seed, runs, ms, isGuided }: Limits,
  say: (tally: Tally) => void = () => {},
): Promise<Tally> {
  const random = new Random(seed);
  const coverage = new Coverage();
  const corpus: Uint8Array[] = [];
  const begin = performance.now();
  const tally: Tally = { runs: 0, accepted: 0, refused: 0, corpus: 0, covered: 0, ms: 0, peak: 0 };
  const count = () => {
    tally.corpus = corpus.length;
    tally.covered = coverage.characters;
    tally.peak = Math.round(process.resourceUsage().maxRSS / 1024);
    tally.ms = Math.round(performance.now() - begin);
  };

  const run = async (input: Uint8Array): Promise<Verdict> => {
    guard.hold(input);
    try {
      return await target.run(input);
    } catch (error) {
      throw new Finding(input, error);
    } finally {
      guard.release();
    }
  };
  /** Finds out which of some inputs show something new, by running parts of them again, and keeps those. */
  const keep = async (inputs: readonly Uint8Array[]): Promise<void> => {
    if (inputs.length === 1) corpus.push(inputs[0]);
    if (inputs.length === 1) return;
    const each = Math.ceil(inputs.length / PARTS);
    for (let i = 0; i < inputs.length; i += each) {
      const part = inputs.slice(i, i + each);
      coverage.take();
      for (const input of part) await run(input);
      const ran = coverage.take();
      if (coverage.isNew(ran)) await keep(part);
      coverage.add(ran); // what ran only because of the inputs before would look new for ever
    }
  };
  const changed = (): Uint8Array => {
    // Every other time one of the last ones: nobody has tried much with those.
    const recent = corpus.length - 1 - random.below(Math.min(corpus.length, 16));
    let input = corpus[random.once(2) ? recent : random.below(corpus.length)];
    for (let n = 1 << random.below(MOST_STACKED); n > 0; n--)
      input = target.mutate(input, random.pick(corpus), random);
    // The very array that the mutator made, so that it may know it again.
    return input.length > target.longest ? input.subarray(0, target.longest) : input;
  };

  if (isGuided) coverage.start();
  try {
    for (const input of target.seeds) await run(input);
    corpus.push(...target.seeds);
    if (isGuided) coverage.add(coverage.take());
    let told = begin;
    let size = BATCH;
    while (tally.runs < runs && performance.now() - begin < ms) {
      const batch: Uint8Array[] = [];
      while (batch.length < Math.min(size, runs - tally.runs)) {
        const input = changed();
        batch.push(input);
        tally[await run(input)]++;
        tally.runs++;
      }
      if (isGuided) {
        const ran = coverage.take();
        const isNew = coverage.isNew(ran);
        if (isNew) await keep(batch);
        size = isNew ? BATCH : Math.min(2 * size, MOST);
        coverage.add(ran);
      }
      count();
      if (performance.now() - told < 10_000) continue;
      told = performance.now();
      say(tally);
    }
  } finally {
    coverage.stop();
  }
  count();
  return tally;
}
