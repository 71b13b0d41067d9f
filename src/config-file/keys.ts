/**
 * Names the keys of a file that no schema knows. nydusd ignores them silently, which hides typing mistakes.
 *
 * @param input as read
 * @param known the same after parsing, which drops unknown keys
 */
export function unknownKeys(input: unknown, known: unknown, path: readonly PropertyKey[] = []): string[] {
  if (input === known || !isRecord(input) || !isRecord(known)) return [];
  return Object.keys(input).flatMap((key) => {
    const at = [...path, key];
    return Object.hasOwn(known, key)
      ? unknownKeys(input[key], known[key], at)
      : [`${keyPath(at)}: unknown key, ignored`];
  });
}

/** `a.b[1]`; a key that is no plain word is quoted, so that a message stays one line. */
export function keyPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => {
      if (typeof part === "number") return `[${part}]`;
      const key = String(part).slice(0, 100);
      return `.${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)}`;
    })
    .join("")
    .replace(/^\./, "");
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
