/** How a file of TOML has a table already. */
export type Place = "absent" | "header" | "inline";

const HEADER = /^\s*\[(\[?)([^\]]+)\]/;
const PART = /"([^"]*)"|'([^']*)'|([\w-]+)/g;

/**
 * Where a table could be written down: one whose header is there, or that was written within another table, must be changed;
 * every other one may be added at the end of the file, also where tables below it are there already.
 *
 * @param data the same file, parsed
 */
export function placeOf(text: string, data: unknown, path: readonly string[]): Place {
  const headers = text.split("\n").flatMap((line) => {
    const [, , name] = HEADER.exec(line) ?? [];
    return name === undefined ? [] : [keysOf(name)];
  });
  const wanted = JSON.stringify(path);
  if (headers.some((each) => JSON.stringify(each) === wanted)) return "header";
  const isBelow = headers.some((each) => JSON.stringify(each.slice(0, path.length)) === wanted);
  let at = data;
  for (const key of path) at = (at as Record<string, unknown> | undefined)?.[key];
  return at === undefined || isBelow ? "absent" : "inline";
}

const keysOf = (name: string): string[] =>
  [...name.matchAll(PART)].map(([, double, single, bare]) => double ?? single ?? bare ?? "");
