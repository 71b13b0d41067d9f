import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { dir, file } from "../mkfs/support.ts";
import { configOf, LAYERS, ociDir } from "../source/images.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { programRun } from "../support/programs.ts";

const KEY = "k".repeat(180);
const mtime = 1_700_000_000;
const STACK = [
  [
    dir("etc/", { mtime }),
    file("etc/passwd", "root:x\n", { mtime }),
    dir("root/", { mtime }),
    file("root/key", KEY, { mode: 0o600, mtime }),
  ],
  [file("etc/passwd", "root:x:0\n", { mtime }), file("root/.wh.key", "", { mtime })],
  [{ name: "etc/passwd", type: "2", link: "/run/passwd", mtime }, file("etc/a\n\\x0a", "", { mtime })],
];

let work = "";
let tars: string[] = [];
beforeAll(() => {
  work = scratchDir();
  tars = STACK.map((layer, i) => {
    const path = join(work, `${i + 1}.tar`);
    writeFileSync(path, tarOf(layer));
    return path;
  });
});

const run = (...args: readonly string[]) => {
  const [command = "", ...rest] = args;
  return programRun("nydus-image-ts", [command, "--cache-dir", join(work, "cache"), ...rest], work);
};
const IMAGE = ["1.tar", "--over", "2.tar", "--over", "3.tar"];
const idOf = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const ids = () => tars.map((tar) => idOf(tar).slice(0, 12));

describe("explain", () => {
  it("says who has a file, what became of the others, and where their bytes lie", () => {
    const { status, stdout, stderr } = run("explain", ...IMAGE, "/etc/passwd", "/root/key");
    const [one, two, three] = ids();
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.replaceAll(/ +/g, " ").split("\n")).toEqual([
      "symlink from layer 3 of 3: /etc/passwd -> /run/passwd",
      "LAYER WHAT MODE OWNER SIZE MODIFIED TAR@OFFSET FATE",
      " 3 symlink lrwxrwxrwx 0:0 11 2023-11-14T22:13:20Z - seen",
      ` 2 file -rw-r--r-- 0:0 9 2023-11-14T22:13:20Z ${two}@512 overwritten by 3`,
      ` 1 file -rw-r--r-- 0:0 7 2023-11-14T22:13:20Z ${one}@1024 overwritten by 2`,
      "not in the image, layer 2 takes it away; 180 bytes can still be read in layer 1: /root/key",
      "LAYER WHAT MODE OWNER SIZE MODIFIED TAR@OFFSET FATE",
      " 2 whiteout - - - 2023-11-14T22:13:20Z - hides 1",
      ` 1 file -rw------- 0:0 180 2023-11-14T22:13:20Z ${one}@2560 hidden in 2 by /root/.wh.key`,
      `layer 1: ${one}`,
      `layer 2: ${two}`,
      `layer 3: ${three}`,
      "",
    ]);
  });

  it("says it as after a lower layer", () => {
    const { stdout } = run("explain", ...IMAGE, "--layer", "1", "/root/key");
    expect(stdout.split("\n")[0]).toBe("file from layer 1 of 1: /root/key");
  });

  it("shows a name that a terminal would obey, and tells it from another", () => {
    expect(run("explain", ...IMAGE, "/etc/a\n\\x0a").stdout.split("\n")[0]).toBe(
      "file from layer 3 of 3: /etc/a\\x0a\\x5cx0a",
    );
  });

  it("exits 1 when no layer has a path, and says what it knows of the others", () => {
    const { status, stdout, stderr } = run("explain", ...IMAGE, "/nope", "/etc");
    expect([status, stderr]).toEqual([1, "Error: no layer has it: /nope\n"]);
    expect(stdout).toMatch(/^dir from layer 1 of 3: \/etc\n/);
  });

  it("says of a bootstrap only what is seen, and that its layers are unknown", () => {
    programRun("nydus-image-ts", ["create", "-B", "merged.boot", "-D", ".", "1.tar", "2.tar"], work);
    const { status, stdout, stderr } = run("explain", "merged.boot", "/etc/passwd");
    expect(status).toBe(0);
    expect(stdout.split("\n")[0]).toBe("file from an unknown layer: /etc/passwd");
    expect(stderr).toBe(
      "warning: layers unknown: name the image that merged.boot was made from, or its layers with --over\n",
    );
    expect(run("explain", "merged.boot", "/etc", "--layer", "1")).toMatchObject({ status: 1, stdout: "" });
    expect(run("cat", "merged.boot", "/etc/passwd").stdout).toBe("root:x:0\n");
  });

  it("--layer beyond the image is a wrong command line", () => {
    expect(run("explain", ...IMAGE, "--layer", "4", "/etc")).toMatchObject({
      status: 2,
      stderr: "Error: --layer 4: the image has 3 layers\n",
    });
  });
});

/** Of a tar: each name that is no marker, with type, size, offset and time; the last entry of a name counts. */
const TARFILE = `
import json, sys, tarfile
found = {}
for m in tarfile.open(sys.argv[1]):
    name = "/" + m.name.removeprefix("./").strip("/")
    if m.isreg() and m.size > 0: found[name] = [m.size, m.offset_data, m.mtime, m.mode, m.uid, m.gid]
print(json.dumps(found))`;

describe("explain --json and cat, held to Python's tarfile", () => {
  it("say of each file of each layer of an image what its tar says", () => {
    const image = ociDir(join(work, "oci"), LAYERS, "app:1");
    let files = 0;
    for (const [i, tar] of LAYERS.entries()) {
      const all = JSON.parse(sh(`python3 -c "$P" "$T"`, { P: TARFILE, T: tar })) as Record<string, number[]>;
      const names = Object.keys(all).filter((name) => !name.includes("/.wh."));
      const { stdout } = run("explain", "--json", image, ...names);
      const said = stdout
        .split("\n")
        .filter(Boolean)
        .map((line) => JSON.parse(line));
      expect(said).toHaveLength(names.length);
      for (const { path, versions } of said) {
        const mine = versions.find((one: { layer: number }) => one.layer === i + 1);
        const { size, offset, mtime: at, mode, uid, gid, blob_id: id } = mine;
        const bits = Number.parseInt(mode, 8) & 0o7777;
        expect([path, size, offset, at, bits, uid, gid]).toEqual([path, ...(all[path] ?? [])]);
        expect(id).toBe(idOf(tar));
        files++;
      }
    }
    expect(files).toBeGreaterThan(8);
  });

  it("write the bytes that GNU tar extracts, also of what is hidden", () => {
    expect(run("cat", ...IMAGE, "--layer", "1", "/root/key").stdout).toBe(KEY);
    expect(run("cat", ...IMAGE, "--layer", "2", "etc/passwd").stdout).toBe(
      sh(`tar -xOf "$T" etc/passwd`, { T: tars[1] ?? "" }),
    );
    expect(run("cat", ...IMAGE, "/root/key")).toMatchObject({
      ...{ status: 1, stdout: "" },
      stderr: "Error: /root/key: not in the image; --layer takes 1\n",
    });
    expect(run("cat", ...IMAGE, "/etc/passwd").stderr).toBe(
      "Error: /etc/passwd: no file, but of type symlink to /run/passwd\n",
    );
  });
});

describe("what an image says of the making of its layers", () => {
  /** A docker archive, whose configuration has a history. */
  function archive(name: string, history: unknown): string {
    const source = join(work, name);
    mkdirSync(source);
    writeFileSync(join(source, "config.json"), configOf(tars, { history }));
    const manifest = [
      { ["Config"]: "config.json", ["RepoTags"]: ["a:1"], ["Layers"]: ["1.tar", "2.tar", "3.tar"] },
    ];
    writeFileSync(join(source, "manifest.json"), JSON.stringify(manifest));
    sh(`cp "$W"/[123].tar "$S"; tar -C "$S" -cf "$S.tar" .`, { W: work, S: source });
    return `${name}.tar`;
  }
  const step = (by: string) => ({ created: "2026-01-01T00:00:00Z", ["created_by"]: by });

  it("is shown, without what a terminal would obey; empty layers have none", () => {
    const image = archive("history", [
      step("ADD base"),
      { ...step("ENV x=1"), ["empty_layer"]: true },
      step("RUN \u001b[31mred"),
      step("COPY . /app"),
    ]);
    const lines = run("explain", image, "/etc/passwd").stdout.split("\n").slice(-4);
    expect(lines.map((line) => line.replace(/: [0-9a-f]{12}/, ""))).toEqual([
      "layer 1  ADD base",
      "layer 2  RUN \\u001b[31mred",
      "layer 3  COPY . /app",
      "",
    ]);
    const { layers } = JSON.parse(run("explain", "--json", image, "/root/key").stdout);
    expect(layers.map((one: Record<string, unknown>) => [one["layer"], one["created_by"]])).toEqual([
      [1, "ADD base"],
      [2, "RUN \u001b[31mred"],
    ]);
  });

  it.each([
    ["of fewer steps than layers", [step("ADD base")]],
    ["that is none", { no: "list" }],
  ])("is left out of a history %s", (name, history) => {
    const { status, stdout } = run("explain", archive(name.replaceAll(" ", "-"), history), "/etc/passwd");
    expect([status, stdout.trim().split("\n").at(-1)]).toEqual([0, `layer 3: ${ids()[2]}`]);
  });
});
