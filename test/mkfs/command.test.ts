import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { emptyDir, type Finished, mountErofs, sh, shell, start } from "../support/daemon.ts";
import { fixture, placesOf, scratchDir, serve, tree } from "../support/image.ts";
import { sorted } from "../support/tree.ts";
import { contentOfSparse, sparseTar } from "./sparse-emit.ts";
import { withoutIno } from "./support.ts";
import { WAIT_FOR } from "../support/wait-for.ts";

const COMMAND = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));
const LAYER = join(dirname(fixture("04-large").path), "layer.tar");
/** As a word of a command: the shell knows where the fixtures are, whatever characters lead there. */
const inShell = (path: string) => `"$F/${path}"`;
const LAYER_WORD = inShell("04-large/layer.tar");
const MERGED_WORDS = (suffix: string) => [1, 2, 3].map((n) => inShell(`12-merged/l${n}.${suffix}`)).join(" ");
const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
const ID = sha256(LAYER);

/** Runs the command in a directory of its own that has `blobs/`. @param before what feeds its stdin */
async function run(args: string, before = "true"): Promise<Finished & { dir: string; left: string[] }> {
  const dir = scratchDir();
  mkdirSync(join(dir, "blobs"));
  const script = `F=$4; cd "$1"; ${before} | timeout 240 "$2" "$3" ${args}`;
  const finished = await shell(script, dir, process.execPath, COMMAND, dirname(dirname(LAYER)));
  const left = readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
  return { ...finished, dir, left };
}

/** The tree of an image whose only blob is in `blobs/`. */
const treeOf = (dir: string, name = "x.boot") =>
  withoutIno(sorted(tree(serve(join(dir, name), { dirs: [join(dir, "blobs")], files: new Map() }).fs)));
const WANT = withoutIno(sorted(fixture("04-large").entries));

describe("create", () => {
  it("says what nydus-image says, writes its JSON, and puts the tar in place by hard link", async () => {
    const { dir, left, ...said } = await run(
      `create -t tar-tarfs -B x.boot -D blobs -J out.json ${LAYER_WORD}`,
    );
    const size = statSync(LAYER).size.toString(16);
    expect(said).toEqual({
      status: 0,
      stdout: `successfully built RAFS filesystem: \nmeta blob path: x.boot\ndata blob size: 0x${size}\ndata blobs: ["${ID}"]\n`,
      stderr: "",
    });
    expect(left).toEqual(["blobs", `blobs/${ID}`, "out.json", "x.boot"]);
    expect(sha256(join(dir, "blobs", ID))).toBe(ID);
    expect(treeOf(dir)).toEqual(WANT);
    expect(JSON.parse(readFileSync(join(dir, "out.json"), "utf8"))).toMatchObject({
      bootstrap: "x.boot",
      blobs: [ID],
      fs_version: "6",
      compressor: "none",
    });
  });

  const sources: [name: string, args: string, before?: string][] = [
    ["stdin", "create -B x.boot -D blobs -", `cat ${LAYER_WORD}`],
    ["a fifo", "create -B x.boot -D blobs fifo", `{ mkfifo fifo; cat ${LAYER_WORD} >fifo & }`],
    ["gzip", "create -B x.boot -D blobs l.gz", `gzip -c ${LAYER_WORD} >l.gz`],
    [
      "gzip of several members from stdin",
      "create -B x.boot -D blobs /dev/stdin",
      `{ head -c 700000 ${LAYER_WORD} | gzip; tail -c +700001 ${LAYER_WORD} | gzip; }`,
    ],
  ];
  it.each(sources)("from %s: the tar is written, once", async (_, args, before) => {
    const { dir, left, status, stderr } = await run(args, before);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(left.filter((name) => name.startsWith("blobs/"))).toEqual([`blobs/${ID}`]);
    expect(sha256(join(dir, "blobs", ID))).toBe(ID);
    expect(treeOf(dir)).toEqual(WANT);
  });

  it("takes an id as it is, and without -B names the bootstrap by its sha256", async () => {
    const { dir, left, status } = await run(`create --blob-id my-layer -D blobs ${LAYER_WORD}`);
    expect(status).toBe(0);
    const boot = left.find((name) => name.startsWith("blobs/") && name !== "blobs/my-layer") ?? "";
    expect(left).toEqual(["blobs", boot, "blobs/my-layer"].sort());
    expect(boot).toBe(`blobs/${sha256(join(dir, boot))}`);
    expect(treeOf(dir, boot)).toEqual(WANT);
  });

  it("--repeatable leaves owners out; --chunk-size and the prefetch list are kept", async () => {
    const list = "printf '/small\\n/nothere\\n/small\\nrelative\\n'";
    const { dir, status } = await run(
      `create --repeatable --chunk-size 0x10000 --prefetch-policy fs -B x.boot -D blobs ${LAYER_WORD}`,
      list,
    );
    expect(status).toBe(0);
    const { opened, fs } = serve(join(dir, "x.boot"), { dirs: [join(dir, "blobs")], files: new Map() });
    const owners = new Set(tree(fs).map(({ uid, gid }) => `${uid}:${gid}`));
    expect([...owners]).toEqual(["0:0"]);
    expect(opened.report.prefetch.length).toBe(1);
    expect(treeOf(dir).map(({ sha256: sum }) => sum)).toEqual(WANT.map(({ sha256: sum }) => sum));
  });

  it("several layers become one image", async () => {
    const { dir, status } = await run(`create -B x.boot -D blobs ${MERGED_WORDS("tar")}`);
    expect(status).toBe(0);
    expect(treeOf(dir)).toEqual(withoutIno(sorted(fixture("12-merged").entries)));
  });

  it("what it built is mounted", async () => {
    const { dir } = await run(`create -B x.boot -D blobs ${LAYER_WORD}`);
    const daemon = await start(["--bootstrap", join(dir, "x.boot"), "--blob-dir", join(dir, "blobs")]);
    expect(sh('sha256sum <"$F"', { F: join(daemon.mountpoint, "m1p1") })).toBe(
      `${WANT.find(({ path }) => path === "/m1p1")?.sha256}  -\n`,
    );
    expect(await daemon.stop()).toBe(0);
  });

  it.each(["layer.tar", "layer.tar.gz", "layer.tgz", "layer"])(
    "create %s alone writes beside it",
    async (name) => {
      const dir = scratchDir();
      const layer = join(dir, name);
      const bytes = readFileSync(LAYER);
      writeFileSync(layer, name.endsWith("gz") ? gzipSync(bytes) : bytes);
      const { status } = await shell('"$@"', process.execPath, COMMAND, "create", layer);
      expect(status).toBe(0);
      const id = createHash("sha256").update(bytes).digest("hex");
      expect(readdirSync(dir).sort()).toEqual([id, "layer.boot", name].sort());
      const daemon = await start([], emptyDir(), ["mount", "--driver", "fuse", join(dir, "layer.boot")]);
      expect(readdirSync(daemon.mountpoint)).toContain("m1p1");
      expect(await daemon.stop()).toBe(0);
    },
  );

  const wrong: [args: string, status: number, want: string][] = [
    [
      `create ${LAYER_WORD} ${LAYER_WORD}`,
      2,
      "Error: both --bootstrap and --blob-dir are missing: say where the bootstrap goes",
    ],
    [`create -B x.boot -D none ${LAYER_WORD}`, 1, "Error: directory to store blobs does not exist"],
    [
      `create -B x.boot -v 5 ${LAYER_WORD}`,
      1,
      "Error: '--fs-version 5' conflicts with conversion type 'tar-tarfs', only V6 is supported",
    ],
    [
      `create -B x.boot --blob b ${LAYER_WORD}`,
      1,
      "Error: conversion type `tar-tarfs` conflicts with `--blob`",
    ],
    [
      `create -B x.boot --chunk-dict d ${LAYER_WORD}`,
      1,
      "Error: conversion type 'tar-tarfs' conflicts with '--chunk-dict'",
    ],
    [
      `create -B x.boot --parent-bootstrap d ${LAYER_WORD}`,
      1,
      "Error: conversion type 'tar-tarfs' conflicts with '--parent-bootstrap'",
    ],
    [
      `create -B x.boot --blob-inline-meta ${LAYER_WORD}`,
      1,
      "Error: conversion type 'tar-tarfs' conflicts with '--blob-inline-meta'",
    ],
    [
      `create -B x.boot --features blob-toc ${LAYER_WORD}`,
      1,
      "Error: conversion type 'tar-tarfs' conflicts with '--features blob-toc'",
    ],
    [
      `create -B x.boot --aligned-chunk ${LAYER_WORD}`,
      1,
      "Error: conversion type 'tar-tarfs' conflicts with '--aligned-chunk'",
    ],
    [
      `create -B x.boot --encrypt ${LAYER_WORD}`,
      1,
      "Error: conversion type 'tar-tarfs' conflicts with '--encrypt'",
    ],
    [
      `create -B x.boot --prefetch-policy blob ${LAYER_WORD}`,
      1,
      "Error: conversion type tar-tarfs conflicts with '--prefetch-policy blob'",
    ],
    [
      `create -B x.boot -t dir-rafs ${LAYER_WORD}`,
      2,
      "Error: conversion type 'dir-rafs' is not supported, only 'tar-tarfs'",
    ],
    [
      `create -B x.boot --blob-id ${"i".repeat(65)} ${LAYER_WORD}`,
      1,
      "Error: blob id is limited to length 64",
    ],
    [`create -B x.boot --blob-id ../x ${LAYER_WORD}`, 1, 'Error: blob id "../x" is not a plain file name'],
    [`create -B x.boot --blob-id a/b ${LAYER_WORD}`, 1, 'Error: blob id "a/b" is not a plain file name'],
    [
      "create -B x.boot -",
      1,
      "Error: a layer that is compressed or comes through a pipe needs --blob-dir to be written to",
    ],
    ["create -B x.boot none.tar", 1, "Error: none.tar: no such file"],
    [
      "create -B x.boot blobs",
      1,
      "Error: blobs: a directory, not a tar; tar -C blobs -cf FILE.tar . makes one of it",
    ],
    [
      `create -B x.boot --prefetch-policy fs -D blobs -`,
      2,
      "Error: stdin cannot be both layer and prefetch list",
    ],
    [
      `create -B x.boot --chunk-size 5000 ${LAYER_WORD}`,
      2,
      "Error: option '--chunk-size <bytes>' argument '5000' is invalid. want a power of two from 0x1000 to 0x1000000.",
    ],
  ];
  it.each(wrong)("%s: status %d", async (args, status, want) => {
    const { left, ...said } = await run(args, "head -c 10240 /dev/zero");
    expect({ ...said, dir: "" }).toEqual({ status, stdout: "", stderr: `${want}\n`, dir: "" });
    expect(left).toEqual(["blobs"]);
  });

  it("a damaged stream leaves nothing, and what was there before as it was", async () => {
    const bytes = gzipSync(readFileSync(LAYER));
    for (const cut of [bytes.length >> 1, bytes.length - 4]) {
      const dir = scratchDir();
      mkdirSync(join(dir, "blobs"));
      writeFileSync(join(dir, "x.boot"), "before");
      writeFileSync(join(dir, "l.gz"), bytes.subarray(0, cut));
      const { status, stderr } = await shell(
        'cd "$1"; "$2" "$3" create -B x.boot -D blobs l.gz',
        dir,
        process.execPath,
        COMMAND,
      );
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^Error: l\.gz: /) });
      expect(readdirSync(dir, { recursive: true }).sort()).toEqual(["blobs", "l.gz", "x.boot"]);
      expect(readFileSync(join(dir, "x.boot"), "utf8")).toBe("before");
    }
  });
});

describe("sparse files that do not lie in blocks", () => {
  /** The second piece lies askew in the file and, by as much, in the tar: most of it need not be copied. */
  const sparse = {
    name: "odd",
    size: 1_234_567,
    pieces: [
      { offset: 1000, data: Buffer.alloc(70_001, "a") },
      { offset: 600_064 + (70_001 % 512), data: Buffer.alloc(300_000, "bc") },
    ],
  };
  const sum = createHash("sha256").update(contentOfSparse(sparse)).digest("hex");
  /** @returns paths of the tar, and of it compressed */
  const layers = (): [tar: string, gz: string] => {
    const tar = join(scratchDir(), "sparse.tar");
    writeFileSync(tar, sparseTar("pax 1.0", [sparse]));
    writeFileSync(`${tar}.gz`, gzipSync(readFileSync(tar)));
    return [tar, `${tar}.gz`];
  };

  it("take a blob more, which is mounted and checked as the tar is", async () => {
    const [tar] = layers();
    const { dir, left, stdout } = await run(`create -B x.boot -D blobs ${tar}`);
    const ids = left.filter((name) => name.startsWith("blobs/")).map((name) => name.slice("blobs/".length));
    expect(ids.length).toBe(2);
    expect(ids).toContain(sha256(tar));
    for (const id of ids) expect(sha256(join(dir, "blobs", id))).toBe(id);
    expect(stdout).toContain(`data blob size: 0x${statSync(tar).size.toString(16)}\n`);
    for (const id of ids) expect(stdout).toContain(id);
    expect(treeOf(dir).map((e) => e.sha256)).toEqual([undefined, sum]);

    const daemon = await start(["--bootstrap", join(dir, "x.boot"), "--blob-dir", join(dir, "blobs")]);
    expect(sh('sha256sum <"$F"', { F: join(daemon.mountpoint, "odd") })).toBe(`${sum}  -\n`);
    expect(await daemon.stop()).toBe(0);
    const check = await shell(
      '"$1" "$2" check "$3/x.boot" -D "$3/blobs" --data',
      process.execPath,
      COMMAND,
      dir,
    );
    expect({ ...check, stdout: "" }).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("of several layers take one each", async () => {
    const [, gz] = layers();
    const { dir, left, status } = await run(`create -B x.boot -D blobs ${LAYER_WORD} ${gz}`);
    expect(status).toBe(0);
    expect(left.filter((name) => name.startsWith("blobs/")).length).toBe(3);
    expect(treeOf(dir).find(({ path }) => path === "/odd")?.sha256).toBe(sum);
    expect(treeOf(dir).length).toBe(WANT.length + 1);
  });

  it("need a directory", async () => {
    const [tar] = layers();
    const { left, status, stderr } = await run(`create -B x.boot ${tar}`);
    expect({ left, status, stderr }).toEqual({
      left: ["blobs"],
      status: 1,
      stderr: `Error: ${tar}: sparse file "odd" cannot be mapped to blocks of the tar: it needs --blob-dir for a side blob\n`,
    });
  });
});

it.each(["INT", "TERM", "HUP"])("SIG%s in the middle leaves nothing", async (signal) => {
  const dir = scratchDir();
  mkdirSync(join(dir, "blobs"));
  const script = `cd "$1"; mkfifo fifo; exec 3<>fifo
    "$2" "$3" create -B x.boot -D blobs fifo >&2 & head -c 60000 "$4" >&3
    ${WAIT_FOR}; wait_for eval '[ -n "$(ls -A blobs)" ]'; ls -A blobs | wc -l
    kill -${signal} $!; wait $! || echo $?; rm fifo; find . -type f`;
  const { stdout } = await shell(script, dir, process.execPath, COMMAND, LAYER);
  expect(stdout).toBe(`1\n${128 + { INT: 2, TERM: 15, HUP: 1 }[signal as "INT"]}\n`);
});

describe("merge", () => {
  it.each([
    ["", ["b", "a"]],
    ["--drop-unreferenced", ["b"]],
  ])("%s declares %j of a layer that is hidden by another", async (flag, want) => {
    const dir = scratchDir();
    sh('cd "$D"; for n in a b; do echo $n >f; tar -cf $n.tar f; done', { D: dir });
    const script = `cd "$1"; for n in a b; do "$2" "$3" create -B $n.boot --blob-id $n $n.tar; done >/dev/null
      "$2" "$3" merge -B m.boot ${flag} a.boot b.boot`;
    const { stdout, status } = await shell(script, dir, process.execPath, COMMAND);
    expect({ status, blobs: JSON.parse(stdout.split("data blobs: ")[1]) }).toEqual({
      status: 0,
      blobs: want,
    });
    const devices = want.map((name) => join(dir, `${name}.tar`));
    expect(serve(join(dir, "m.boot"), placesOf(devices)).fs).toBeDefined();
    const mountpoint = emptyDir();
    mountErofs(join(dir, "m.boot"), devices, mountpoint);
    expect(readFileSync(join(mountpoint, "f"), "utf8")).toBe("b\n");
    sh('fsck.erofs $(printf -- "--device=%s " $T) "$B"', { T: devices.join(" "), B: join(dir, "m.boot") });
  });

  it("says what nydus-image says", async () => {
    const { dir, status, stdout } = await run(`merge -B m.boot ${MERGED_WORDS("boot")}`);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(
        /^successfully merged RAFS filesystem: \nmeta blob path: m\.boot\ndata blob size: 0x\w+\ndata blobs: \["\w{64}", "\w{64}", "\w{64}"\]\n$/,
      ),
    });
    const { fs } = serve(join(dir, "m.boot"), placesOf(fixture("12-merged").devices));
    expect(withoutIno(sorted(tree(fs)))).toEqual(withoutIno(sorted(fixture("12-merged").entries)));
  });

  const wrong: [name: string, layers: string, status: number, want: RegExp][] = [
    [
      "owners in one layer only",
      `${inShell("12-merged/l1.boot")} ${inShell("10-repeatable/image.boot")}`,
      2,
      /^Error: one of .* has owners, the other has none \(nydus-image-ts create --repeatable\)\n$/,
    ],
    [
      "no TARFS image",
      inShell("24-erofs-tar-index/image.erofs"),
      1,
      /@0x480: not a TARFS bootstrap: only those can be merged\n$/,
    ],
    [
      "a file that is not there",
      "none.boot",
      1,
      /^Error: bootstrap none\.boot: ENOENT: no such file or directory, open 'none\.boot'\n$/,
    ],
    ["a tar", LAYER_WORD, 1, /^Error: .*layer\.tar @0x0: a tar, no bootstrap and no EROFS image; /],
  ];
  it.each(wrong)("%s", async (_, layers, status, want) => {
    const { left, ...said } = await run(`merge -B m.boot ${layers}`);
    expect({ status: said.status, stdout: said.stdout, stderr: said.stderr }).toEqual({
      status,
      stdout: "",
      stderr: expect.stringMatching(want),
    });
    expect(left).toEqual(["blobs"]);
  });
});
