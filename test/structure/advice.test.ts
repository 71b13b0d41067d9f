import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Described, flatten, programs } from "../docs/programs.ts";
import { type SourceFile, sourceFiles } from "./imports.ts";

/** Words of other programs, which say so themselves. */
const OTHERS =
  /(?:nydusd-ts|nydus-image|tar|umoci|skopeo|containerd|docker|podman|the daemon's|prlimit)\S*[^.;:`"]*?(?: --[\w-]+)+/g;
const OPTION = /(?<![\w-])--[a-z][\w-]+/g;

const files = new Map(sourceFiles().map((file) => [file.path, file]));

/** Everything that a program may load. */
function reached(from: string): SourceFile[] {
  const seen = new Set<string>();
  const todo = [from];
  for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
    const file = files.get(path);
    if (file === undefined || seen.has(path)) continue;
    seen.add(path);
    for (const each of file.imports) if (each.startsWith(".")) todo.push(join(dirname(path), each));
  }
  return [...seen].map((path) => files.get(path) as SourceFile);
}

/** Texts that are thrown as errors. */
const messages = ({ text }: SourceFile): string[] =>
  [...text.matchAll(/Error\(\s*((?:[^;]|;(?! *\n))*?)\);?\n/g)].map(([, inside = ""]) => inside);

/** Commands in which an option is known by each program. */
let known: ReadonlyMap<string, ReadonlySet<string>>;
beforeAll(async () => {
  const terms = ({ options }: Described) => options.flatMap(({ term }) => term.match(OPTION) ?? []);
  known = new Map((await programs()).map((each) => [each.name, new Set(flatten(each).flatMap(terms))]));
});

describe("an error names only options that the program at hand has", () => {
  it.each(["nydusd-ts", "nydus-image-ts", "nydusctl-ts"])("%s", (program) => {
    const all = reached(`bin/${program}.ts`).filter(({ path }) => path.startsWith("src/"));
    const named = all.flatMap((file) =>
      messages(file).flatMap((message) =>
        (message.replaceAll(OTHERS, "").match(OPTION) ?? []).map((option) => ({ path: file.path, option })),
      ),
    );
    expect(named.filter(({ option }) => known.get(program)?.has(option) !== true)).toEqual([]);
    expect(all.length).toBeGreaterThan(10);
  });
});
