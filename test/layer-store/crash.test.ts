import { type ChildProcessWithoutNullStreams, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { Random } from "../fuzz/random.ts";
import { tarOf } from "../mkfs/emit.ts";
import { sparseTar } from "../mkfs/sparse-emit.ts";
import { type CrashDisk, crashDisk, isStopped } from "../support/crash-disk.ts";
import { childrenOf, launch, until, workDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { often } from "../support/often.ts";
import { openStore, PACKED, sha256 } from "./support.ts";

const CONVERTER = fileURLToPath(new URL("../../dist/test/layer-store/converter.js", import.meta.url));

const STOPPER = fileURLToPath(new URL("../../dist/test/layer-store/stop-at-syncs.js", import.meta.url));

/** Layers of all packings; one has a side blob, one is long enough for a program to decompress it. */
function layers(): Uint8Array[] {
  const noise = (kib: number) => randomBytes(kib << 9).toString("hex");
  const plain = [1, 5, 70].map((kib) => tarOf([{ name: `n${kib}`, data: noise(kib) }]));
  const pieces = [100, 70_001, 900_001].map((offset) => ({ offset, data: Buffer.from("piece") }));
  const tars = [
    ...plain,
    sparseTar("pax 1.0", [{ name: "sparse", size: 1 << 20, pieces }]),
    tarOf([{ name: "long", data: noise(900) }]),
  ];
  const packs = ["plain", "gzip", "zstd", "gzip", "gzip"];
  return tars.map((tar, i) => PACKED[packs[i] ?? ""]?.[1](tar) ?? tar);
}

const running: ChildProcessWithoutNullStreams[] = [];
afterEach(async () => {
  for (const converter of running.splice(0)) await killed(converter);
});

/** Has a process convert layers in a directory; what it has said so far. */
function started(dir: string, words: readonly string[] = []) {
  const blobs = join(dir, "in");
  mkdirSync(blobs);
  for (const bytes of layers()) writeFileSync(join(blobs, sha256(bytes)), bytes, { mode: 0o444 });
  execFileSync("sync", ["-f", blobs]);
  return again(dir, words);
}

function again(dir: string, words: readonly string[] = []) {
  const converter = launch(process.execPath, [...words, CONVERTER, join(dir, "store"), join(dir, "in")]);
  running.push(converter);
  const said: string[] = [];
  converter.stdout.on("data", (text: Buffer) => said.push(...text.toString().trim().split("\n")));
  converter.stderr.on("data", (text: Buffer) => said.push(...text.toString().trim().split("\n")));
  return { converter, said };
}

async function killed(converter: ChildProcessWithoutNullStreams): Promise<void> {
  const programs = childrenOf(converter.pid ?? 0);
  converter.kill("SIGKILL");
  await until(() => converter.exitCode !== null || converter.signalCode !== null, "its end");
  for (const pid of programs) execFileSync("sh", ["-c", 'kill -9 "$0" 2>/dev/null || :', `${pid}`]);
}

/** Layers that the store has promised by these words. */
function promised(said: readonly string[]): string[] {
  const there = new Set<string>();
  for (const line of said) {
    const [what, id = ""] = line.split(" ");
    if (what === "layer") there.add(id);
    if (what === "removing") there.delete(id);
  }
  return [...there];
}

/** That every layer is whole or absent, and those that were promised are there. @returns how many there are */
async function mustBeWhole(root: string, wanted: readonly string[]): Promise<number> {
  const { store, said } = await openStore(root);
  try {
    const known = [...store.all()];
    for (const { diffId, tar, bootstrap, side } of known) {
      expect(`sha256:${sha256(readFileSync(tar))}`).toBe(diffId);
      if (side !== undefined) expect(sha256(readFileSync(side.path))).toBe(side.id);
      mustPass(bootstrap, [tar, ...(side === undefined ? [] : [side.path])]);
    }
    for (const { bootstrap, blobs } of store.allMerged())
      mustPass(
        bootstrap,
        blobs.map(({ path }) => path),
      );
    expect(said).toEqual([]);
    expect(known.map(({ diffId }) => diffId)).toEqual(expect.arrayContaining([...wanted]));
    expect(readdirSync(join(root, "staging"))).toEqual([]);
    const ids = new Set(known.flatMap(({ diffId, side }) => [diffId.slice(7), ...(side ? [side.id] : [])]));
    expect(readdirSync(join(root, "blobs")).filter((id) => !ids.has(id))).toEqual([]);
    return known.length;
  } finally {
    await store.close();
  }
}

const mustPass = (bootstrap: string, devices: readonly string[]) =>
  execFileSync("fsck.erofs", [bootstrap, ...devices.map((path) => `--device=${path}`)], { stdio: "ignore" });

it("a process that is killed at any moment leaves layers that are whole, or absent", async () => {
  const random = new Random(18);
  const dir = workDir();
  let { converter, said } = started(dir);
  let found = 0;
  for (let i = 0; i < 12; i++) {
    await until(() => said.includes("open"), "the store");
    await setTimeout(random.below(600));
    await killed(converter);
    // What was being removed when it was killed may be there or not.
    found += await mustBeWhole(join(dir, "store"), promised(said));
    ({ converter, said } = again(dir));
  }
  expect(found).toBeGreaterThan(0);
});

describe("a power loss", () => {
  needs(existsSync("/dev/loop-control") ? undefined : "there is no /dev/loop-control");

  it("leaves layers that are whole, or absent, and all that were promised", async () => {
    const random = new Random(19);
    const disk = crashDisk();
    mkdirSync(join(disk.directory, "store"), { mode: 0o700 });
    const { converter, said } = started(disk.directory);
    await until(() => said.includes("open"), "the store");
    const copies: { path: string; wanted: string[] }[] = [];
    for (let i = 0; i < 14; i++) {
      await setTimeout(random.below(500));
      converter.kill("SIGSTOP");
      await until(() => isStopped(converter.pid ?? 0), "that it stops");
      await setTimeout(0); // what it has said is heard
      copies.push({ wanted: promised(said), path: disk.cut() });
      converter.kill("SIGCONT");
    }
    await killed(converter);
    await mustAllBeWhole(disk, copies);
  });

  it("before and after each thing that is synced does the same, whichever names the disk has by then", async () => {
    const disk = crashDisk();
    mkdirSync(join(disk.directory, "store"), { mode: 0o700 });
    const { converter, said } = started(disk.directory, ["--import", STOPPER]);
    const copies: { path: string; wanted: string[] }[] = [];
    const merged = () => said.filter((line) => line.startsWith("merged")).length;
    // The second time layers are there that are being removed, and some that have come back.
    while (merged() < often("NYDUSD_TS_CRASH_ROUNDS", 1, 2)) {
      await until(() => isStopped(converter.pid ?? 0), "that it stops");
      await setTimeout(0);
      copies.push({ wanted: promised(said), path: disk.cut(true) });
      converter.kill("SIGCONT");
    }
    await killed(converter);
    // Of each layer tar, bootstrap and directories.
    expect(copies.length).toBeGreaterThan(4 * layers().length);
    await mustAllBeWhole(disk, copies);
  });
});

async function mustAllBeWhole(
  disk: CrashDisk,
  copies: readonly { readonly path: string; readonly wanted: readonly string[] }[],
): Promise<void> {
  disk.end();
  let found = 0;
  for (const { path, wanted } of copies)
    found += await disk.looking(path, (directory) => mustBeWhole(join(directory, "store"), wanted));
  expect(found).toBeGreaterThan(0);
}
