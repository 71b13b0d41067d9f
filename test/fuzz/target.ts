import type { Random } from "./random.ts";

/** What became of an input. */
export type Verdict = "accepted" | "refused";

/** An invariant does not hold: a finding, like anything that is thrown and not declared. */
export class Broken extends Error {
  override readonly name = "Broken";
}

/** Something that takes bytes from strangers. */
export interface Target {
  /** Inputs to begin with. */
  readonly seeds: readonly Uint8Array[];
  /** An input longer than this is cut. */
  readonly longest: number;
  /** MiB that the process may take: the bound that is documented for whoever does this work. */
  readonly memory: number;
  /** Changes a copy of `input` by what is known of its format. @param other one more input, to take parts from */
  mutate(input: Uint8Array, other: Uint8Array, random: Random): Uint8Array;
  /** @throws whatever no boundary has declared, and Broken */
  run(input: Uint8Array): Verdict | Promise<Verdict>;
  close?(): Promise<void>;
}

/** Makes a target, which may write files below `dir`. */
export type MakeTarget = (dir: string) => Target | Promise<Target>;

export function must(holds: boolean, what: () => string): asserts holds {
  if (!holds) throw new Broken(what());
}

/** "refused" for an error of the declared classes; all others are thrown on. */
export function refusal(error: unknown, ...declared: readonly (new (...args: never[]) => Error)[]): Verdict {
  if (declared.some((each) => error instanceof each)) return "refused";
  throw error;
}
