import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { calledBy, urlFor } from "../../src/one-file/names.ts";

/** An executable of a release, links to it, and one that nobody has a link beside. */
const dir = realpathSync(mkdtempSync(join(tmpdir(), "nydusd-ts-names-")));
const at = (name: string) => join(dir, name);
const FILE = at("lib/nydusd-ts-0.1.0-linux-x64");
const path = process.env["PATH"];

beforeAll(() => {
  for (const each of ["lib", "bin", "sbin", "none/nydus-image-ts", "none/nydusctl-ts", "copy"])
    mkdirSync(at(each), { recursive: true });
  writeFileSync(FILE, "");
  chmodSync(FILE, 0o755);
  for (const name of ["nydusd-ts", "nydus-image-ts", "mount.nydusd-ts"]) symlinkSync(FILE, at(`bin/${name}`));
  symlinkSync(FILE, at("sbin/mount.nydusd-ts"));
  writeFileSync(at("bin/other"), "");
  chmodSync(at("bin/other"), 0o755);
  process.env["PATH"] = `${dir}/none:${at("bin")}:${path}`;
});
afterAll(() => {
  process.env["PATH"] = path;
  rmSync(dir, { recursive: true });
});

describe("the program that is meant", () => {
  const cases = [
    {
      name: "by its link",
      argv: [at("bin/nydus-image-ts"), "ls", "x"],
      want: ["nydus-image-ts", at("bin/nydus-image-ts"), "ls", "x"],
    },
    { name: "by a word of PATH", argv: ["nydusd-ts", "ls"], want: ["nydusd-ts", at("bin/nydusd-ts"), "ls"] },
    { name: "by the file's own name", argv: [FILE, "ls"], want: ["nydusd-ts", FILE, "ls"] },
    {
      name: "by the first word after that",
      argv: [FILE, "nydusctl-ts", "info"],
      want: ["nydusctl-ts", FILE, "info"],
    },
    {
      name: "by a path there, as units have it",
      argv: [FILE, "/x/nydus-snapshotter-ts"],
      want: ["nydus-snapshotter-ts", FILE],
    },
    {
      name: "started again by its own path",
      argv: [at("bin/nydusd-ts"), at("bin/nydusd-ts"), "mount"],
      want: ["nydusd-ts", at("bin/nydusd-ts"), "mount"],
    },
    {
      name: "an image that is called as a program",
      argv: [at("bin/nydusd-ts"), "/srv/nydus-image-ts", "/mnt"],
      want: ["nydusd-ts", at("bin/nydusd-ts"), "/srv/nydus-image-ts", "/mnt"],
    },
    {
      name: "by mount(8), where the daemon has a link beside it",
      argv: [at("bin/mount.nydusd-ts"), "i", "d"],
      want: ["nydusd-ts", at("bin/nydusd-ts"), "i", "d"],
    },
    {
      name: "by mount(8), where it has none",
      argv: [at("sbin/mount.nydusd-ts"), "i", "d"],
      want: ["nydusd-ts", FILE, "i", "d"],
    },
    { name: "by a name that another program has", argv: ["other", "ls"], want: ["nydusd-ts", FILE, "ls"] },
    { name: "by a name that nothing has", argv: ["-login", "ls"], want: ["nydusd-ts", FILE, "ls"] },
    { name: "by a path of another program", argv: [at("bin/other"), "ls"], want: ["nydusd-ts", FILE, "ls"] },
    {
      name: "by a word that is a directory in PATH first",
      argv: ["nydusctl-ts", "info"],
      want: ["nydusctl-ts", FILE, "info"],
    },
    {
      name: "by a word that is in no PATH",
      argv: ["nydus-snapshotter-ts", "ls"],
      want: ["nydus-snapshotter-ts", FILE, "ls"],
    },
    {
      name: "by a path that leads elsewhere",
      argv: ["/x/nydus-image-ts", "ls"],
      want: ["nydus-image-ts", FILE, "ls"],
    },
    { name: "by nothing", argv: [""], want: ["nydusd-ts", FILE] },
  ];
  it.each(cases)("$name", ({ argv: [name = "", ...words], want }) => {
    const called = calledBy(name, words, FILE);
    expect([called.program, called.path, ...(called.words ?? ["none"])]).toEqual(want);
  });
  it("is that of the word where there is no PATH", () => {
    const { PATH } = process.env;
    delete process.env["PATH"];
    const called = calledBy("nydus-image-ts", ["ls", "x"], FILE);
    process.env["PATH"] = PATH;
    expect(called).toEqual({
      program: "nydus-image-ts",
      path: FILE,
      script: "nydus-image-ts",
      words: ["ls", "x"],
    });
  });
  it("is what a link in PATH leads to, behind a directory of that name", () =>
    expect(calledBy("nydus-image-ts", [], FILE).path).toBe(at("bin/nydus-image-ts")));
  it("is none when mount(8) wants nothing done", () =>
    expect(calledBy(at("bin/mount.nydusd-ts"), ["i", "d", "-f"], FILE).words).toBeUndefined());
});

describe("what is run again means the same program:", () => {
  const COPY = at("copy/nydus-snapshotter-ts");
  const calls: [string, string[], string][] = [
    ["a link", [at("bin/nydus-image-ts"), "ls", "x"], FILE],
    ["a word that PATH has not", ["nydus-snapshotter-ts", "ls"], FILE],
    ["the file and a word", [FILE, "nydusctl-ts", "info"], FILE],
    ["a copy", [COPY, "ls"], COPY],
    ["a copy and the daemon's name", [COPY, "nydusd-ts", "mount", "i", "d"], COPY],
    ["another word for a copy", ["nydusd-ts", "mount", "i", "d"], COPY],
    ["a link of mount(8)", [at("sbin/mount.nydusd-ts"), "i", "d"], FILE],
  ];
  it.each(calls)("%s", (_, [name = "", ...words], file) => {
    const first = calledBy(name, words, file);
    const {
      program,
      path,
      script,
      words: left,
    } = calledBy(first.path, [first.script, ...(first.words ?? [])], file);
    expect([program, path, script, left]).toEqual([first.program, first.path, first.script, first.words]);
  });

  const urls: [string, string, string, string][] = [
    ["a link beside it", at("bin/nydus-image-ts"), FILE, `file://${at("bin/nydusd-ts")}`],
    ["the file, without one", at("sbin/mount.nydusd-ts"), FILE, `file://${FILE}`],
    ["a copy by a word", COPY, COPY, `file://${COPY}#nydusd-ts`],
  ];
  it.each(urls)("the daemon is %s", (_, called, file, want) =>
    expect(urlFor("nydusd-ts", called, file).href).toBe(want),
  );
});
