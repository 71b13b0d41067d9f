import fc from "fast-check";
import type { Made } from "../mkfs/emit.ts";
import { dir, file } from "../mkfs/support.ts";

const NAMES = ["a", "b"];
/** Every name down to three deep. */
const PATHS = NAMES.flatMap((a) => [a, ...NAMES.flatMap((b) => [`${a}/${b}`, `${a}/${b}/a`])]);

/** What a layer has at each of them; below what is no directory, nothing. */
export const layer = fc
  .tuple(...PATHS.map(() => fc.constantFrom("nothing", "file", "directory", "directory", "opaque", "marker")))
  .map((all) => new Map(PATHS.map((path, i) => [path, all[i]])));

/** Entries of a layer in an order that leaves nothing to it: parents, then markers, then names. */
export function entriesOf(what: ReadonlyMap<string, string | undefined>, above = ""): Made[] {
  const names = NAMES.map((name) => ({ name, at: what.get(above + name) }));
  return [
    ...(what.get(above.slice(0, -1)) === "opaque" ? [file(`${above}.wh..wh..opq`, "")] : []),
    ...names.flatMap(({ name, at }) => (at === "marker" ? [file(`${above}.wh.${name}`, "")] : [])),
    ...names.flatMap(({ name, at }) => {
      if (at === "file") return [file(above + name)];
      const isDirectory = at === "directory" || at === "opaque";
      return isDirectory ? [dir(`${above}${name}/`), ...entriesOf(what, `${above}${name}/`)] : [];
    }),
  ];
}
