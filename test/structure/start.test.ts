import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { type SourceFile, sourceFiles } from "./imports.ts";

const files = new Map(sourceFiles().map((file) => [file.path, file]));

/** An import whose names are not all types, and that is no `import()`: it is loaded with the file. */
const LOADED = /^(?:import|export) (?!type )(?:[^"';]*? from )?"([^"]+)";/gm;

/** What a program has loaded when it reads its command line: its own files, and packages. */
function loadedBy(path: string, seen = new Set<string>()): Set<string> {
  const file: SourceFile | undefined = files.get(path);
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const [, to = ""] of file?.text.matchAll(LOADED) ?? [])
    if (!to.startsWith("node:")) loadedBy(to.startsWith(".") ? join(dirname(path), to) : to, seen);
  return seen;
}

const PARTS =
  /^src\/(api|block|ctl|doctor|erofs|fs|fuse-native|inspect|kernel-erofs|nbd|prefetch|prometheus|pseudo|readahead|seed|tar)\/|^src\/daemon\/(main|start)\.ts/;

it.each(["bin/nydusd-ts.ts", "bin/nydus-image-ts.ts"])("%s begins with what every command needs", (path) => {
  const loaded = [...loadedBy(path)];
  expect(loaded.length).toBeGreaterThan(30);
  expect(loaded.filter((each) => PARTS.test(each))).toEqual([]);
  expect(loaded.filter((each) => !files.has(each))).toEqual(["commander"]);
});

it("an image that is mounted as it is needs nothing that builds, and the kernel's EROFS nothing that serves", () => {
  const loaded = [...loadedBy("bin/mounting.ts")];
  expect(loaded.length).toBeGreaterThan(100);
  const heavy =
    /^src\/(source\/(layers|store|archive|documents)|mkfs\/(create|merge|tree|plan)|session\/(run|worker-pool)|daemon\/main)\.ts/;
  expect(loaded.filter((each) => heavy.test(each))).toEqual([]);
});
