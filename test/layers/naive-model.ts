import type { Made } from "../mkfs/emit.ts";

/** A version as the model has it: its path, its layer, what became of it, in which layer, by which path. */
export type NaiveVersion = readonly [path: string, layer: number, fate: string, ended: number, by: string];

interface Open {
  readonly path: string;
  readonly layer: number;
  readonly isDirectory: boolean;
  end?: readonly [fate: string, layer: number, by: string];
}

/**
 * Layers over one another in the plainest words: a list of versions that is searched through for each entry. Of layers that name each
 * path once, parents first and markers before names, and that lead through no symlinks.
 */
export function naiveVersions(stack: readonly (readonly Made[])[]): NaiveVersion[] {
  const all: Open[] = [{ path: "", layer: 1, isDirectory: true }];
  for (const [i, entries] of stack.entries()) for (const entry of entries) lay(all, i + 1, entry);
  return all.map(({ path, layer, end = ["seen", 0, ""] }) => [path || "/", layer, ...end]);
}

function lay(all: Open[], layer: number, { name, type }: Made): void {
  const path = `/${name.replace(/\/$/, "")}`;
  const cut = path.lastIndexOf("/");
  const [directory, last] = [path.slice(0, cut), path.slice(cut + 1)];
  const end = (fate: string, isEnded: (one: Open) => boolean) => {
    for (const one of all) if (one.layer !== layer && isEnded(one)) one.end ??= [fate, layer, path];
  };
  const isBelow = (one: Open, above: string) => one.path.startsWith(`${above}/`);
  const gone = `${directory}/${last.slice(4)}`;
  const isDirectory = type === "5";
  if (last === ".wh..wh..opq") end("opaque", (one) => isBelow(one, directory));
  else if (last.startsWith(".wh.")) end("whiteout", (one) => one.path === gone || isBelow(one, gone));
  else {
    end("attributes", (one) => one.path === path && one.isDirectory && isDirectory);
    end("replaced", (one) => (one.path === path && one.isDirectory) || (isBelow(one, path) && !isDirectory));
    end("overwritten", (one) => one.path === path);
    all.push({ path, layer, isDirectory });
  }
}
