import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { outline } from "../../src/find/outline.ts";
import { Rows } from "../../src/find/rows.ts";
import { outlineText } from "../../src/inspect/outline-text.ts";
import { LayeredImage } from "../../src/layers/layered-image.ts";
import { ROOT } from "../../src/mkfs/tree.ts";
import { layersOf } from "../layers/support.ts";
import { tarOf } from "../mkfs/emit.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { programRun } from "../support/programs.ts";
import { tree } from "./oracle.ts";

const TREES = 12;
/** tree(1) writes names as they are, and no slash behind those of directories. */
const hasControls = (text: string) => text.includes("\n") || text.includes("\u001b");

it(`draws what tree(1) draws of the unpacked tree (${TREES} trees)`, async () => {
  await fc.assert(
    fc.asyncProperty(tree, async (made) => {
      const entries = made.filter(({ name, link = "" }) => !hasControls(name + link));
      const dir = scratchDir();
      const [root, tar] = [join(dir, "root"), join(dir, "t.tar")];
      mkdirSync(root);
      writeFileSync(tar, tarOf(entries));
      sh(`tar -C "$R" -pxf "$T"`, { R: root, T: tar });
      const rows = new Rows(new LayeredImage(await layersOf([entries], dir)));
      for (const { depth, isOfDirectories } of [
        { depth: 99, isOfDirectories: false },
        { depth: 2, isOfDirectories: false },
        { depth: 1, isOfDirectories: true },
      ]) {
        // Symlinks to directories are directories to it.
        if (isOfDirectories) sh(`find "$R" -type l -delete`, { R: root });
        const drawn = outline(rows, ROOT, { depth, isOfDirectories, hasHidden: false });
        const ours = outlineText(rows, drawn, { size: undefined, hasLayers: false });
        const words = ["-a", "--noreport", "-L", `${depth}`, ...(isOfDirectories ? ["-d"] : [])];
        const env = { PATH: process.env["PATH"], ["LC_ALL"]: "C.UTF-8" };
        const { stdout } = spawnSync("tree", words, { cwd: root, encoding: "utf8", env });
        const plain = ours.replace(/^\/$/m, ".").replaceAll(/^((?!.* -> ).*)\/$/gm, "$1");
        expect(plain).toBe(stdout.replaceAll("\u00a0", " "));
      }
    }),
    { numRuns: TREES, seed: 20, endOnFailure: true },
  );
});

it("has sizes, layers and what is hidden in front of names, and says of a bootstrap what is seen", () => {
  const work = scratchDir();
  const mtime = 1_700_000_000;
  const lower = [
    ...[
      { name: "etc/", type: "5", mtime },
      { name: "etc/key", data: "x".repeat(180), mtime },
    ],
    ...[
      { name: "etc/one", data: "y".repeat(3000), mtime },
      { name: "etc/two", type: "1", link: "etc/one" },
    ],
    { name: "n\n\u001b[31m", type: "2", link: "e\ttc", mtime },
  ];
  writeFileSync(join(work, "1.tar"), tarOf(lower));
  writeFileSync(
    join(work, "2.tar"),
    tarOf([
      { name: "etc/.wh.key", mtime },
      { name: "etc/new", data: "1", mtime },
    ]),
  );
  const run = (...args: string[]) =>
    programRun("nydus-image-ts", ["tree", "--cache-dir", "c", ...args], work);
  const image = ["1.tar", "--over", "2.tar"];
  expect(run(...image, "--du", "--layers", "--hidden").stdout.split("\n")).toEqual([
    "3.2K  1-2  /",
    "3.2K  1-2  ├── etc/",
    " 180  1    │   ├── key  whiteout of 2",
    "   1  2    │   ├── new",
    "3.0K  1    │   ├── one",
    "3.0K  1    │   └── two",
    "   4  1    └── n\\x0a\\x1b[31m -> e\\x09tc",
    "",
  ]);
  expect(run(...image, "/etc", "-L", "1", "--du", "-b").stdout).toBe(
    "3001  /etc/\n   1  ├── new\n3000  ├── one\n3000  └── two\n",
  );
  const records = run(...image, "--json", "-d")
    .stdout.trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records).toMatchObject([
    { depth: 0, path: "/", bytes: 3001, what: "dir" },
    { depth: 1, path: "/etc", bytes: 3001, layer: 1, fate: "seen" },
  ]);
  expect(run(...image, "/nope")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: "Error: no layer has it: /nope\n",
  });
  programRun("nydus-image-ts", ["create", "-B", "m.boot", "-D", ".", "1.tar", "2.tar"], work);
  expect(run("m.boot", "-L", "1")).toEqual({
    status: 0,
    stderr: "",
    stdout: "/\n├── etc/\n└── n\\x0a\\x1b[31m -> e\\x09tc\n",
  });
  expect(run("m.boot", "-L", "1", "--layers").stderr).toMatch(/^warning: layers unknown: /);
  expect(run("m.boot", "--hidden")).toMatchObject({ status: 1, stdout: "" });
});
