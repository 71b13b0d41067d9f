import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { definitions } from "../docs/programs.ts";
import { sh } from "../support/daemon.ts";
import { programRun } from "../support/programs.ts";

/** Both halves of a command line, between which the option stands, and what its effect is when it is not another output. */
type Row = readonly [before: string, option: string, after: string, said?: RegExp];

const NO_LOG = /^warning: --log-file has no effect: /;
const CONFLICT = /^Error: .*conflicts with /;
const log = (before: string, after: string): readonly Row[] => [
  [before, "--log-file l.log", after, NO_LOG],
  // Of what it warns.
  [`${before} --log-file l.log`, "--log-level error", after],
];
const conflicts = (before: string, after: string): readonly Row[] =>
  [
    "--blob b",
    "--blob-cache-dir d",
    "--blob-inline-meta",
    "--chunk-dict x",
    "--parent-bootstrap x",
    "--features f",
    "--aligned-chunk",
    "--encrypt",
  ].map((option): Row => [before, option, after, CONFLICT]);

const CREATE = ["create -B out.boot", "a.tar"] as const;
const MERGE = ["merge -B out.boot", "a.boot b.boot"] as const;

/** Every option of `nydusctl-ts`, and of the commands of `nydusd-ts` that mount nothing, with a test that shows what it does. */
const SHOWN: Readonly<Record<string, string>> = {
  "nydusd-ts commit --output --gzip --rw": "commit/commit",
  "nydusd-ts ls --json": "mount/ls",
  "nydusd-ts nbd --bootstrap --threads --socket --listen --export --verity --salt --single-device --block-size --localfs-dir --blob-dir --blob --cache-dir --ref --platform --metrics-address --log-level --log-file --log-format":
    "nbd/options",
  "nydusd-ts cache ls --cache-dir --json": "source/cache",
  "nydusd-ts cache gc --cache-dir --older-than --dry-run": "source/cache",
  "nydusd-ts trace summarize --json --paths": "mount/prefetch",
  "nydusd-ts doctor --json": "doctor/doctor",
  "nydusctl-ts --version --sock --raw --id": "api/ctl",
  "nydusctl-ts info --json": "api/ctl",
  "nydusctl-ts metrics backend --json --interval": "api/ctl",
  "nydusctl-ts metrics cache --json --interval": "api/ctl",
  "nydusctl-ts metrics fsstats --json --interval": "api/ctl",
  "nydusctl-ts watch --json --interval --times": "api/ctl",
  "nydusctl-ts events --json": "api/ctl",
  "nydusctl-ts pattern --json": "api/ctl",
  "nydusctl-ts inflight --json": "api/ctl",
  "nydusctl-ts files --json --latest": "api/files",
  "nydusctl-ts mount --source --mountpoint --config --type --prefetch-files": "api/ctl",
  "nydusctl-ts remount --source --mountpoint --config --type --prefetch-files": "api/ctl",
  "nydusctl-ts umount --mountpoint": "api/ctl",
};

/** Every option of `nydus-image-ts`. What a line says and writes with it is not what it says and writes without it. */
const IMAGE: Readonly<Record<string, readonly Row[]>> = {
  create: [
    ["create -D blobs", "--bootstrap out.boot", "a.tar"],
    ["create -B out.boot", "--blob-dir empty", "a.tar"],
    ["create -B out.boot", "--prefetch-policy fs", "a.tar"],
    ["create -B out.boot", "--whiteout-spec overlayfs", "a.tar white.tar"],
    ["create -B out.boot", "--drop-unreferenced", "a.tar white.tar"],
    [CREATE[0], "--strict-xattrs", "foreign.tar", /^Error: .*com\.example/],
    [CREATE[0], "--output-json out.json", CREATE[1]],
    [CREATE[0], "--type directory", CREATE[1], /^Error: conversion type 'directory' is not supported/],
    [CREATE[0], "--blob-id mine", CREATE[1]],
    [CREATE[0], "--chunk-size 0x1000", "big.tar"],
    [CREATE[0], "--repeatable", "owned.tar"],
    ["create -B out.boot -D empty", "--blob-link none", "a.tar"],
    [CREATE[0], "--ignore-zeros", "twice.tar"],
    [
      "create -D blobs",
      "--max-layer-size 1K",
      "a.tar.gz",
      /^Error: a\.tar\.gz: more than 1024 bytes \(--max/,
    ],
    [CREATE[0], "--fs-version 5", CREATE[1], CONFLICT],
    [CREATE[0], "--compressor zstd", CREATE[1], /^warning: --compressor has no effect: /],
    [CREATE[0], "--digester sha256", CREATE[1], /^warning: --digester has no effect: /],
    ...conflicts(...CREATE),
    ...log(...CREATE),
  ],
  merge: [
    ["merge -D blobs", "--bootstrap out.boot", MERGE[1]],
    [MERGE[0], "--blob-dir .", MERGE[1], /^warning: --blob-dir has no effect: /],
    [MERGE[0], "--prefetch-policy fs", MERGE[1]],
    [MERGE[0], "--whiteout-spec overlayfs", "a.boot white.boot"],
    [MERGE[0], "--drop-unreferenced", "a.boot white.boot"],
    [MERGE[0], "--strict-xattrs", "a.boot opaque.boot", /^Error: .*trusted\.overlay\.opaque/],
    [MERGE[0], "--output-json out.json", MERGE[1]],
    ...conflicts(...MERGE),
    ...log(...MERGE),
  ],
  check: [
    ["check a.boot", "--verbose", ""],
    ["check a.boot", "--output-json out.json", ""],
    ["check a.boot -D changed", "--data", "", /^Error: /],
    ["check", "--bootstrap a.boot", ""],
    ["check a.boot", "--blob-dir empty", "", /^Error: /],
    ["check a.boot", "--config no-tars.json", "", /^Error: /],
    ["check a.boot", "--blob t.tar", "", /^Error: /],
    ...log("check a.boot", ""),
  ],
  inspect: [
    ["inspect a.boot", "--request stats", ""],
    ["inspect -R stats", "--bootstrap a.boot", ""],
    ["inspect -R stats a.boot", "--blob-dir blobs", "", /^warning: --blob-dir has no effect: /],
    ["inspect -R stats a.boot", "--config config.json", "", /^warning: --config has no effect: /],
    ...log("inspect -R stats a.boot", ""),
  ],
  stat: [
    ["stat", "--bootstrap a.boot", ""],
    ["stat -B a.boot", "--target b.boot", ""],
    ["stat -B a.boot", "--output-json out.json", ""],
    ...log("stat -B a.boot", ""),
  ],
  ls: [["ls a.boot", "--json", ""], ...log("ls a.boot", "")],
  unpack: [
    ["unpack a.boot", "--output out.tar", ""],
    ["unpack --output out.tar", "--bootstrap a.boot", ""],
    ["unpack --output out.tar moved/a.boot", "--blob-dir blobs", ""],
    ["unpack --output out.tar moved/a.boot", "--config config.json", ""],
    ["unpack --output out.tar moved/a.boot", "--blob a.tar", ""],
    ["unpack --output out.tar socket.boot", "--log-file l.log", ""],
    ["unpack --output out.tar socket.boot", "--log-level error", ""],
  ],
  export: [
    ["export -B a.boot -D blobs -O out.disk", "--block", ""],
    ["export --block -D blobs", "--output out.disk", "-B a.boot"],
    ["export --block -O out.disk", "--bootstrap a.boot", "-D blobs"],
    ["export --block -O out.disk moved/a.boot", "--blob-dir blobs", ""],
    ["export --block -O out.disk moved/a.boot", "--config config.json", ""],
    ["export --block -O out.disk moved/a.boot", "--blob a.tar", ""],
    ["export --block -O out.disk a.boot -D blobs", "--single-device", ""],
    ["export --block -O out.disk a.boot -D blobs --single-device", "--block-size 4096", ""],
    ["export --block -O out.disk a.boot -D blobs", "--verity", ""],
    ["export --block -O out.disk a.boot -D blobs", "--verity-only", ""],
    ["export --block -O out.disk a.boot -D blobs --verity", "--verity-superblock", ""],
    ["export --block -O out.disk a.boot -D blobs --verity", "--salt 00", ""],
    ["export --block -O out.disk two.boot -D both", "--layer 1", ""],
    ["export --block -O out.disk a.boot -D blobs", "--threads 4", "", /^warning: --threads has no effect: /],
    ...log("export --block -O out.disk a.boot -D blobs", ""),
  ],
  verify: [
    ["verify a.disk $ROOT", "--hash-file a.tree", "", /all of it has the root digest/],
    ["verify a.disk $ROOT --hash-file a.tree", "--hash-offset 4096", "", /^Error: .*no hash tree/],
    ["verify a.disk $ROOT --hash-file a.tree", "--data-blocks 1", "", /^Error: /],
    [
      "verify a.disk $ROOT --hash-file a.tree",
      "--salt 00",
      "",
      /^Error: .*a block of the hash tree is wrong/,
    ],
    ...log("verify a.disk $ROOT --hash-file a.tree", ""),
  ],
  explain: [
    ["explain a.tar /a", "--over b.tar", ""],
    ["explain a.tar /a", "--blob-dir blobs", "", /^Error: --blob-dir has no meaning for a\.tar/],
    ["explain a.tar /a", "--cache-dir c", ""],
    ["explain a.tar /a", "--ref x:1", "", /^Error: --ref has no meaning for a\.tar/],
    ["explain a.tar /a", "--platform linux/arm64", "", /^Error: --platform has no meaning for a\.tar/],
    ["explain --cache-dir c2 a.tar.gz /a", "--max-layer-size 1K", "", /^Error: a\.tar\.gz: more than 1024/],
    ["explain a.tar --over white.tar /a", "--layer 1", ""],
    ["explain big.tar /big", "--bytes", ""],
    ["explain a.tar /a", "--json", ""],
  ],
  cat: [
    ["cat a.tar /b", "--over b.tar", ""],
    ["cat moved/a.boot /a", "--blob-dir blobs", ""],
    ["cat a.tar /a", "--cache-dir c", ""],
    ["cat a.tar /a", "--ref x:1", "", /^Error: --ref has no meaning for a\.tar/],
    ["cat a.tar /a", "--platform linux/arm64", "", /^Error: --platform has no meaning for a\.tar/],
    ["cat --cache-dir c2 a.tar.gz /a", "--max-layer-size 1K", "", /^Error: a\.tar\.gz: more than 1024/],
    ["cat a.tar --over white.tar /a", "--layer 1", ""],
  ],
  du: [
    ["du a.tar", "--over b.tar", ""],
    ["du a.tar", "--blob-dir blobs", "", /^Error: --blob-dir has no meaning for a\.tar/],
    ["du a.tar", "--cache-dir c", ""],
    ["du a.tar", "--ref x:1", "", /^Error: --ref has no meaning for a\.tar/],
    ["du a.tar", "--platform linux/arm64", "", /^Error: --platform has no meaning for a\.tar/],
    ["du --cache-dir c2 a.tar.gz", "--max-layer-size 1K", "", /^Error: a\.tar\.gz: more than 1024/],
    ["du a.tar", "--by layer", ""],
    ["du opaque.tar", "--depth 0", ""],
    ["du white.tar --over opaque.tar --over big.tar -d 9", "--lines 1", ""],
    ["du big.tar", "--bytes", ""],
    ["du a.tar", "--json", ""],
    ["du a.tar --over white.tar", "--max-hidden 0", "", /^too much is hidden: 2 bytes of 2/],
  ],
  find: [
    ["find a.tar", "--over b.tar", ""],
    ["find a.tar", "--blob-dir blobs", "", /^Error: --blob-dir has no meaning for a\.tar/],
    ["find a.tar", "--cache-dir c", ""],
    ["find a.tar", "--ref x:1", "", /^Error: --ref has no meaning for a\.tar/],
    ["find a.tar", "--platform linux/arm64", "", /^Error: --platform has no meaning for a\.tar/],
    ["find --cache-dir c2 a.tar.gz", "--max-layer-size 1K", "", /^Error: a\.tar\.gz: more than 1024/],
    ...[
      ...[
        "--name a",
        "--iname A",
        "--path /a",
        "--regex /a",
        "--type f",
        "--size 2c",
        "--perm 644",
        "--uid 7",
        "--gid 7",
      ],
      ...[
        "--newer 2020-01-01",
        "--mtime -10000",
        "--links 1",
        "--lname x",
        "--layer 2",
        "--xattr user.*",
        "--empty",
      ],
      ...["--in-tar 0", "--touched-by a.tar", "--not-touched-by a.tar", "--dangling", "--secret", "--cap"],
      ...["--hidden", "--marker", "--long", "--null", "--printf %p", "--json", "--count", "--lines 1"],
    ].map((option): Row => ["find a.tar", option, ""]),
    ["find big.tar -l", "--bytes", ""],
  ],
  tree: [
    ["tree a.tar", "--over b.tar", ""],
    ["tree a.tar", "--blob-dir blobs", "", /^Error: --blob-dir has no meaning for a\.tar/],
    ["tree a.tar", "--cache-dir c", ""],
    ["tree a.tar", "--ref x:1", "", /^Error: --ref has no meaning for a\.tar/],
    ["tree a.tar", "--platform linux/arm64", "", /^Error: --platform has no meaning for a\.tar/],
    ["tree --cache-dir c2 a.tar.gz", "--max-layer-size 1K", "", /^Error: a\.tar\.gz: more than 1024/],
    ["tree a.tar", "--level 0", "", /^Error: .*want a whole number from 1 to /],
    ...["--dirs", "--du", "--layers", "--json"].map((option): Row => ["tree a.tar", option, ""]),
    ["tree a.tar --over white.tar", "--hidden", ""],
    ["tree big.tar --du", "--bytes", ""],
  ],
  diff: [
    ["diff a.tar --layers 1..2", "--over b.tar", ""],
    ["diff a.tar b.tar", "--blob-dir blobs", "", /^Error: --blob-dir has no meaning for a\.tar/],
    ["diff a.tar b.tar", "--cache-dir c", ""],
    ["diff a.tar b.tar", "--ref x:1", "", /^Error: --ref has no meaning for a\.tar/],
    ["diff a.tar b.tar", "--platform linux/arm64", "", /^Error: --platform has no meaning for a\.tar/],
    ["diff --cache-dir c2 a.tar.gz b.tar", "--max-layer-size 1K", "", /^Error: a\.tar\.gz: more than 1024/],
    ["diff a.tar --over b.tar", "--layers 0..2", ""],
    ["diff a.tar --over b.tar", "--layer 2", ""],
    ["diff a.tar touched.tar", "--data", ""],
    ["diff a.tar owned.tar", "--ignore owner", ""],
    ["diff a.tar touched.tar", "--semantic", ""],
    ["diff t1.tar t2.tar", "--dirs", ""],
    ["diff a.tar opaque.tar", "--all", ""],
    ["diff a.tar big.tar", "--bytes", ""],
    ["diff a.tar big.tar", "--name-status", ""],
    ["diff a.tar big.tar", "--null", ""],
    ["diff a.tar big.tar", "--stat", ""],
    ["diff a.tar big.tar", "--quiet", ""],
    ["diff a.tar big.tar", "--json", ""],
  ],
  completion: [],
};

const KEPT = mkdtempSync(join(tmpdir(), "options-"));
const DIR = join(KEPT, "made");
beforeAll(() => {
  mkdirSync(DIR);
  sh(
    `cd "$D"; mkdir t blobs moved empty changed; echo a >t/a; tar -C t -cf a.tar a; gzip -kn a.tar; echo b >t/b; tar -C t -cf b.tar b
     mkdir t/d; touch t/d/.wh.a t/.wh.a; mknod t/a2 c 0 0; tar -C t -cf white.tar .wh.a a2
     head -c 100000 /dev/zero >t/big; tar -C t -cf big.tar big; tar -C t --owner=7 --group=7 -cf owned.tar a
     tar --format=pax --pax-option=SCHILY.xattr.com.example:=x -C t -cf foreign.tar a; cat a.tar b.tar >twice.tar
     printf '{"version":2,"backend":{"type":"localfs","localfs":{"dir":"blobs"}}}' >config.json
     printf '{"version":2,"backend":{"type":"localfs","localfs":{"dir":"empty"}}}' >no-tars.json
     tar --format=pax --pax-option=SCHILY.xattr.trusted.overlay.opaque:=y -C t -cf opaque.tar d
     node "$I" create -B opaque.boot --whiteout-spec overlayfs opaque.tar >/dev/null
     tar --mtime=@1 -C t -cf touched.tar a; for t in 1 2; do tar --mtime=@$t -C t -cf t$t.tar --no-recursion d; done
     head -c 2048 a.tar >t.tar; id=$(sha256sum a.tar | cut -c-64)
     cp a.tar changed/$id; printf x | dd of=changed/$id bs=1 seek=512 conv=notrunc status=none
     mkdir s; perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => "s/s", Listen => 1)'; mkfs.erofs --quiet socket.boot s
     for l in a b white; do node "$I" create -B $l.boot $l.tar >/dev/null; done
     ln a.tar blobs/$id; cp a.boot moved; rm -r t s; mkdir both; node "$I" merge -B two.boot a.boot b.boot >/dev/null
     for tar in a.tar b.tar; do cp $tar "both/$(sha256sum $tar | cut -c-64)"; done
     node "$I" export --block -O a.disk a.boot -D blobs
     node "$I" export --block --verity-only -O a.tree a.boot -D blobs | awk '{ printf "%s", $NF }' >root`,
    { D: DIR, I: fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url)) },
  );
});
afterAll(() => rmSync(KEPT, { recursive: true }));

/** What a line says, and every file that is there afterwards. */
function effect(line: string): { said: string; files: string } {
  const dir = join(mkdtempSync(join(KEPT, "run-")), "w");
  cpSync(DIR, dir, { recursive: true });
  const { status, stdout, stderr } = programRun(
    "nydus-image-ts",
    line
      .replace("$ROOT", readFileSync(join(DIR, "root"), "utf8"))
      .split(" ")
      .filter(Boolean),
    dir,
    "/a\n",
  );
  const files = readdirSync(dir, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const stats = statSync(join(dir, name));
      const data = stats.isFile() ? readFileSync(join(dir, name)) : "";
      return `${name} ${stats.nlink} ${createHash("sha256").update(data).digest("hex")}`;
    });
  rmSync(join(dir, ".."), { recursive: true });
  return { said: `${stderr}${status} ${stdout}`, files: files.join("\n") };
}

let programs: readonly Command[];
beforeAll(async () => {
  programs = await definitions();
});
const optionsOf = (command: Command | undefined): string[] =>
  (command?.options ?? []).map(({ long }) => long ?? "").sort();

describe("every option of nydus-image-ts", () => {
  it("has a row", () => {
    const [, image] = programs;
    for (const command of image?.commands ?? [])
      expect([command.name(), ...optionsOf(command)]).toEqual([
        command.name(),
        ...(IMAGE[command.name()] ?? []).map(([, option]) => option.split(" ")[0]).sort(),
      ]);
  });
  it.each(Object.values(IMAGE).flat())(
    "%s [%s] %s changes something, or it is said that it does not",
    (before, option, after, said) => {
      const withIt = effect(`${before} ${option} ${after}`);
      if (said !== undefined) expect(withIt.said).toMatch(said);
      else expect(withIt).not.toEqual(effect(`${before} ${after}`));
    },
  );
});

describe("every option of nydusctl-ts, and of what mounts nothing", () => {
  const all = (command: Command, above: readonly string[]): string[] => {
    const words = [...above, command.name()];
    const own = command.options.map(({ long }) => long ?? "");
    const isMount = words[0] === "nydusd-ts" && ["nydusd-ts", "fuse", "mount"].includes(command.name());
    const line = own.length === 0 || isMount ? [] : [[...words, ...own].join(" ")];
    return [...line, ...command.commands.flatMap((each) => all(each, words))];
  };
  it("has a row", () => {
    const [daemon, , ctl] = programs;
    expect([daemon, ctl].flatMap((each) => (each === undefined ? [] : all(each, [])))).toEqual(
      Object.keys(SHOWN),
    );
  });
  it.each(Object.entries(SHOWN))("%s is shown by %s", (line, shownBy) => {
    const test = readFileSync(new URL(`../${shownBy}.test.ts`, import.meta.url), "utf8");
    const commands = programs.flatMap((each) => [each, ...each.commands.flatMap((c) => [c, ...c.commands])]);
    const named = (name: string) =>
      commands
        .flatMap(({ options }) => options)
        .filter(({ long }) => long === name)
        .some(({ short, long }) =>
          [short, long].some((word) => word && new RegExp(`(?<![\\w-])${word}(?![\\w-])`).test(test)),
        );
    const names = line.split(" ").filter((word) => word.startsWith("--") && word !== "--version");
    expect(names.filter((name) => !named(name))).toEqual([]);
  });
});
