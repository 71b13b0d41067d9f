import { beforeAll, describe, expect, it } from "vitest";
import { suggestion } from "../../bin/suggest.ts";
import { type Described, flatten, programs } from "../docs/programs.ts";
import { run } from "../support/daemon.ts";

let commands: readonly Described[];
beforeAll(async () => {
  commands = (await programs()).flatMap(flatten);
});

describe("help", () => {
  it("has an example of each command that does something, which is this command", () => {
    const leaves = commands.filter((each) => each.commands.length === 0);
    expect(leaves.length).toBeGreaterThan(25);
    const wrong = leaves.filter(({ name, examples }) => {
      const words = name.split(" ");
      const isAlike = (line: string) =>
        words.every((word) => word === "fuse" || line.split(/[\s(]+/).includes(word));
      return examples.length === 0 || !examples.every(isAlike);
    });
    expect(wrong.map(({ name, examples }) => ({ name, examples }))).toEqual([]);
  });
  it("puts a command's own options first", () => {
    const first = (name: string) =>
      commands
        .find((each) => each.name === name)
        ?.options.slice(0, 2)
        .map(({ term }) => term);
    expect(first("nydusd-ts mount")).toEqual(["--driver <name>", "--rw <upper>"]);
    expect(first("nydus-image-ts check")).toEqual(["-v, --verbose", "-J, --output-json <file>"]);
    expect(first("nydus-image-ts create")).toEqual(["-B, --bootstrap <file>", "-D, --blob-dir <dir>"]);
  });
  it("is what a program says that is told nothing, with status 2", () => {
    const { status, stdout, stderr } = run([]);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^Usage: nydusd-ts /);
  });
  it("has colours where they are wanted, and obeys NO_COLOR", () => {
    const help = (env: NodeJS.ProcessEnv) => run(["doctor", "--help"], env).stdout.includes("\u001b[");
    expect([
      help({ FORCE_COLOR: "1", NO_COLOR: undefined }),
      help({ FORCE_COLOR: "1", NO_COLOR: "1" }),
      help({ FORCE_COLOR: undefined, NO_COLOR: undefined }),
    ]).toEqual([true, false, false]);
  });
});

describe("an unknown word is what it is like", () => {
  const known = ["fuse", "mount", "umount", "ls", "cache", "trace", "doctor", "completion", "help"];
  it.each([
    ["unmount", "umount"],
    ["umonut", "umount"],
    ["mout", "mount"],
    ["Mount", "mount"],
    ["list", "ls"],
    ["caches", "cache"],
    ["doktor", "doctor"],
    ["prune", "cache gc"],
    ["foo", undefined],
    ["x", undefined],
    ["", undefined],
  ])("%s → %s", (word, want) => expect(suggestion(word, known)).toBe(want));
});
