import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Made, tarOf } from "../mkfs/emit.ts";
import { dir, file } from "../mkfs/support.ts";
import { LAYERS, ociDir } from "../source/images.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { programRun } from "../support/programs.ts";

const ODD = "odd\n\u001b[31m\\x0a\u202e";
const link = (name: string, to: string): Made => ({ name, type: "1", link: to });
const ONE: readonly Made[] = [
  file("changed", "one"),
  { name: "dev", type: "3", device: [1, 3] },
  dir("gone/"),
  file("gone/a", "12345"),
  link("gone/b", "gone/a"),
  file("kept", "same"),
  link("kept-too", "kept"),
  file("meta", "data", { pax: { "SCHILY.xattr.user.a": "1" } }),
  { name: "sym", type: "2", link: "/x" },
  dir("turned/"),
  file("turned/in", "1"),
  file("when", "aaaa"),
];
const OTHER: readonly Made[] = [
  file("changed", "longer"),
  { name: "dev", type: "3", device: [1, 5] },
  file("kept", "same"),
  file("meta", "data", { mode: 0o600, uid: 7, pax: { "SCHILY.xattr.user.a": "2" } }),
  dir("new/"),
  file(`new/${Buffer.from(ODD).toString("latin1")}`, "123"),
  link("new/kept", "kept"),
  { name: "sym", type: "2", link: "/y" },
  file("turned", "no directory"),
  file("when", "bbbb", { mtime: 1 }),
];

let work = "";
beforeAll(() => {
  work = scratchDir();
  for (const [name, entries] of Object.entries({ one: ONE, other: OTHER }))
    writeFileSync(join(work, `${name}.tar`), tarOf(entries));
});
const run = (...args: readonly string[]) =>
  programRun("nydus-image-ts", ["diff", "--cache-dir", "cache", ...args], work);

describe("diff", () => {
  it("is a table whose names stand last, and its status is 1", () => {
    const { status, stdout, stderr } = run("one.tar", "other.tar");
    expect([status, stderr]).toEqual([
      1,
      "warning: 2 believed to be the same by size and times, or by blob id: not read (--data reads them)\n",
    ]);
    expect(stdout.split("\n")).toEqual([
      "   BEFORE  AFTER  WHAT              PATH",
      "M       3      6  size              /changed",
      "M     1,3    1,5  device            /dev",
      "D       5      -  3 entries         /gone/",
      "D       4      -  -                 /kept-too",
      "m       4      4  mode,owner,xattr  /meta",
      "A       -      7  3 entries         /new/",
      "M       2      2  target            /sym",
      "T       -     12  dir to file       /turned",
      "D       1      -  -                 /turned/in",
      "?       4      4  mtime             /when",
      "3 added (+3), 5 removed (-6), 3 changed, 1 only metadata, 1 type",
      "1 have the same size and other times: not read (--data reads them)",
      "",
    ]);
  });
});

describe("nothing differs", () => {
  it("between an image and itself, whatever it is, and nothing is said", () => {
    const image = ociDir(join(work, "oci"), LAYERS, "app:1");
    programRun("nydus-image-ts", ["create", "-B", "one.boot", "-D", ".", "one.tar"], work);
    programRun("nydus-image-ts", ["create", "-B", "own.boot", "--blob-id", "mine", "one.tar"], work);
    sh(`mkdir -p "$W/t/d"; echo x >"$W/t/d/x"; mkfs.erofs --quiet "$W/plain.erofs" "$W/t"`, { W: work });
    const same = { status: 0, stdout: "", stderr: "" };
    for (const one of [image, "one.tar", "one.boot", "own.boot", "plain.erofs"])
      expect([one, run(one, one)]).toEqual([one, same]);
    expect(run("one.tar", "one.boot", "--data")).toEqual(same);
    expect(run(image, "--layers", "2..2")).toEqual(same);
  });
  it("of copies of a bootstrap, whose tar is not read, nor need be there", () => {
    programRun("nydus-image-ts", ["create", "-B", "moved.boot", "one.tar"], work);
    sh(`cd "$W"; mkdir alone; mv moved.boot alone; cp one.boot alone/again.boot; cd alone; ls`, { W: work });
    const alone = (...args: string[]) => programRun("nydus-image-ts", ["diff", ...args], join(work, "alone"));
    expect(alone("moved.boot", "again.boot", "--data")).toMatchObject({ status: 2, stdout: "" });
    const { status, stdout, stderr } = alone("moved.boot", "again.boot");
    expect([status, stdout, stderr]).toEqual([0, "", expect.stringMatching(/^warning: 8 believed/)]);
  });
});

describe("names that a terminal would obey", () => {
  it("are shown as what they are, and are exact for programs", () => {
    for (const flags of [["-a"], ["-a", "--name-status"], ["-a", "--json"]]) {
      const { stdout } = run("one.tar", "other.tar", ...flags);
      expect([flags, /[^\n\t -~]/.test(stdout)]).toEqual([flags, false]);
    }
    const records = run("one.tar", "other.tar", "-a", "-0").stdout.split("\0");
    expect(records.filter((_, i) => i % 2 === 1)).toContain(`/new/${ODD}`);
    const lines = run("one.tar", "other.tar", "-a", "--json")
      .stdout.trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ path }) => path)).toContain(`/new/${ODD}`);
    expect(run("one.tar", "other.tar", "-a", "--name-status").stdout).toContain(
      "A\t/new/odd\\x0a\\x1b[31m\\x5cx0a\\xe2\\x80\\xae\n",
    );
  });
});

describe("diff --json", () => {
  it("has what both sides have, and a summary at the end", () => {
    const { stdout, stderr, status } = run("one.tar", "--over", "other.tar", "--layers", "1..2", "--json");
    expect([status, stderr]).toEqual([1, ""]);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const of = (path: string) => lines.find((line) => line.path === path);
    expect(of("/changed")).toMatchObject({
      ...{ status: "M", changed: ["size"], data: "differs" },
      ...{ before: { layer: 1, size: 3, what: "file" }, after: { layer: 2, size: 6 } },
    });
    expect(of("/when")).toMatchObject({ status: "?", changed: ["mtime"], data: "unread" });
    expect(of("/new")).toEqual({ status: "A", path: "/new", after: of("/new").after, entries: 3, bytes: 7 });
    expect(lines.at(-1)).toEqual({
      summary: {
        ...{ added: 3, added_bytes: 3, removed: 1, removed_bytes: 1, changed: 3 },
        ...{ metadata: 2, type: 1, unread: 1, believed: 2 },
      },
    });
  });
});

describe("diff takes", () => {
  it("out what is not to count", () => {
    expect(run("one.tar", "other.tar", "--ignore", "mode,owner", "--ignore", "xattr").stdout).not.toContain(
      "/meta",
    );
    const read = run("one.tar", "other.tar", "--semantic");
    expect(read.stdout).toContain("M       4      4  data              /when\n");
    expect(read.stderr).toBe("");
  });
  it("the layers of an image, 0 being before all", () => {
    const { stdout } = run("one.tar", "--over", "other.tar", "--layers", "0..1", "--stat");
    expect(stdout).toBe("12 added (+21), 0 removed (-0), 0 changed, 0 only metadata, 0 type\n");
  });
  it("two images of one archive", () => {
    const image = ociDir(join(work, "twice"), LAYERS, "app:1");
    expect(run(image, image, "--ref", "app:1", "--ref", "app:1").status).toBe(0);
    expect(run(image, image, "--ref", "app:1", "--ref", "app:2")).toMatchObject({ status: 2, stdout: "" });
  });
  it.each([
    [["one.tar"], "one image: want another one, or --layers M..N"],
    [
      ["one.tar", "other.tar", "--layers", "0..1"],
      "--layers compares layers of one image, and two are given",
    ],
    [["one.tar", "--layers", "0..1", "--layer", "1"], "--layer and --layers: want one of them"],
    [
      ["one.tar", "other.tar", "--over", "one.tar"],
      "--over: of which image? it needs --layers, and one image",
    ],
    [["one.tar", "--layer", "1", "--ref", "a", "--ref", "b"], "--ref: more of them than images"],
    [["one.tar", "--layers", "0..2"], "--layers 0..2: the image has 1 layer\n"],
    [["one.tar", "--layers", "3..0"], "--layers 3..0: the image has 1 layer\n"],
    [["one.tar", "--layer", "3"], "--layer 3: the image has 1 layer\n"],
    [["one.tar", "--over", "other.tar", "--layer", "3"], "--layer 3: the image has 2 layers\n"],
    [
      ["one.boot", "--layers", "0..1"],
      "one.boot: nobody knows which layers it has, and what each of them changes",
    ],
    [["one.tar", "none.tar"], "none.tar: no such file"],
    [
      ["one.tar", "--layers", "1-2"],
      "option '--layers <M..N>' argument '1-2' is invalid. want M..N, such as 1..3.",
    ],
    [
      ["one.tar", "other.tar", "--ignore", "size"],
      "option '--ignore <what>' argument 'size' is invalid. want some of mode,owner,mtime,xattr,nlink.",
    ],
  ])("nothing that cannot be: %s", (args, problem) => {
    const { status, stdout, stderr } = run(...args);
    expect([status, stdout, stderr.slice(0, problem.length + 7)]).toEqual([2, "", `Error: ${problem}`]);
  });
});
