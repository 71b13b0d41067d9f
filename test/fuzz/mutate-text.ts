import { INTERESTING, mutateBytes } from "./mutate.ts";
import type { Random } from "./random.ts";

/** JSON as it is after parsing. */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What a document may hold that a schema did not think of. */
const ODD: readonly Json[] = [
  null,
  true,
  false,
  "",
  [],
  {},
  "x",
  "__proto__",
  "\0",
  "../..",
  "/",
  "\ud800",
  1.5,
  1e308,
  -0,
];

export const parsed = (text: string): Json | undefined => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Changes a document as a tree. @param keys that the format has, @param values that it could have */
export function mutateJson(
  document: Json,
  keys: readonly string[],
  values: readonly Json[],
  random: Random,
): Json {
  const other = (): Json => {
    if (random.once(3)) return random.pick(values);
    return random.once(3) ? random.pick(INTERESTING) : random.pick(ODD);
  };
  const visit = (value: Json): Json => {
    if (typeof value !== "object" || value === null || random.once(5)) return other();
    if (Array.isArray(value)) {
      const copy = [...value];
      const i = random.below(copy.length + 1);
      if (i === copy.length || random.once(4))
        copy.splice(i, random.below(2), ...(random.once(2) ? [other()] : copy));
      else copy[i] = visit(copy[i]);
      return copy.slice(0, 64);
    }
    const own = Object.keys(value);
    const key =
      own.length === 0 || random.once(4)
        ? random.pick([...keys, "__proto__", "constructor"])
        : random.pick(own);
    // Written so that __proto__ is a key like any other.
    const entries = Object.entries(value).filter(([name]) => name !== key);
    if (!random.once(6)) entries.push([key, own.includes(key) ? visit(value[key]) : other()]);
    return Object.fromEntries(entries);
  };
  return visit(document);
}

/** A text that is JSON stays JSON, nearly always; all others are bytes. */
export function mutateText(
  input: Uint8Array,
  other: Uint8Array,
  random: Random,
  keys: readonly string[],
  values: readonly string[],
): Uint8Array {
  const document = parsed(Buffer.from(input).toString());
  if (document === undefined || random.once(5))
    return mutateBytes(input, other, random, [...keys, ...values]);
  return Uint8Array.from(Buffer.from(JSON.stringify(mutateJson(document, keys, values, random))));
}
