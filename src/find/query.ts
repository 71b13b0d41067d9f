import { UsageError } from "../bytes/errors.ts";
import { FATES } from "../layers/fate.ts";
import { FLAG_PREDICATES, valuePredicates } from "./predicates.ts";
import { type Predicate, Wanted } from "./predicate.ts";
import { hiddenFates, type Scope } from "./select.ts";

/** What is looked for, and among what. */
export interface Query {
  readonly scope: Scope;
  readonly predicates: readonly Predicate[];
}

/** These say something of bytes that can be read, whether or not they are seen. */
const OF_ALL_VERSIONS = ["--secret", "--in-tar"];

/** These ask where names lead to in the image as it is seen. */
const OF_WHAT_IS_SEEN = ["--dangling", "--touched-by", "--not-touched-by"];

/**
 * Reads predicates as they were given.
 *
 * @param given values by option; an empty one of an option that takes none
 * @param now seconds, for ages
 * @throws UsageError naming option and value
 */
export function queryOf(given: ReadonlyMap<string, readonly string[]>, now: number): Query {
  const parsers = valuePredicates(now);
  const predicates: Predicate[] = [];
  for (const [option, values] of given)
    for (const value of values) {
      const flag = value === "" ? FLAG_PREDICATES[option] : undefined;
      const parse = parsers[option];
      if (flag !== undefined) predicates.push(flag);
      else if (parse !== undefined) predicates.push(named(option, value, parse));
    }
  return { scope: scopeOf(given), predicates };
}

function scopeOf(given: ReadonlyMap<string, readonly string[]>): Scope {
  const markers = given.get("--marker")?.map((value) => {
    if (value !== "" && value !== "idle") throw new UsageError(`--marker=${value}: want nothing, or =idle`);
    return value;
  });
  const hidden = given.get("--hidden")?.map((value) => named("--hidden", value, hiddenFates));
  const others = ["--marker", "--hidden"].filter((option) => given.has(option));
  const seen = OF_WHAT_IS_SEEN.find((option) => given.has(option));
  if (seen !== undefined && others.length > 0)
    throw new UsageError(`${seen} has no meaning with ${others[0]}: it is of what is seen`);
  if (markers !== undefined) {
    if (hidden !== undefined) throw new UsageError("--marker has no meaning with --hidden");
    return markers.includes("idle") ? "idle" : "markers";
  }
  if (hidden !== undefined) return new Set(FATES.filter((fate) => hidden.every((fates) => fates.has(fate))));
  return OF_ALL_VERSIONS.some((option) => given.has(option)) ? "versions" : "seen";
}

function named<T>(option: string, value: string, parse: (value: string) => T): T {
  try {
    return parse(value);
  } catch (error) {
    if (error instanceof Wanted) throw new UsageError(`${option} ${value}: ${error.message}`);
    throw error;
  }
}
