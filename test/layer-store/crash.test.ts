import { type ChildProcessWithoutNullStreams, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { Random } from "../fuzz/random.ts";
import { tarOf } from "../mkfs/emit.ts";
import { sparseTar } from "../mkfs/sparse-emit.ts";
import { childrenOf, launch, sh, until, workDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { openStore, PACKED, sha256 } from "./support.ts";

const CONVERTER = fileURLToPath(new URL("../../dist/test/layer-store/converter.js", import.meta.url));

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
function started(dir: string) {
  const blobs = join(dir, "in");
  mkdirSync(blobs);
  for (const bytes of layers()) writeFileSync(join(blobs, sha256(bytes)), bytes, { mode: 0o444 });
  execFileSync("sync", ["-f", blobs]);
  return again(dir);
}

function again(dir: string) {
  const converter = launch(process.execPath, [CONVERTER, join(dir, "store"), join(dir, "in")]);
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
    const dir = workDir();
    const disk = join(dir, "disk");
    mkdirSync(disk);
    // Data reach the disk only when they are synced, and names without them.
    sh(
      `truncate -s 64M "$D/file"; mkfs.ext4 -q "$D/file"; mount -o loop,data=writeback,noauto_da_alloc,commit=1 "$D/file" "$D/disk"
       mkdir -m 700 "$D/disk/store"`,
      { D: dir },
    );
    const { converter, said } = started(disk);
    await until(() => said.includes("open"), "the store");
    const copies: { path: string; wanted: string[] }[] = [];
    for (let i = 0; i < 14; i++) {
      await setTimeout(random.below(500));
      converter.kill("SIGSTOP");
      await until(() => isStopped(converter.pid ?? 0), "that it stops");
      await setTimeout(0); // what it has said is heard
      const path = join(dir, `copy${i}`);
      const wanted = promised(said);
      copyFileSync(join(dir, "file"), path);
      copies.push({ path, wanted });
      converter.kill("SIGCONT");
    }
    await killed(converter);
    sh('umount "$D/disk"', { D: dir });
    let found = 0;
    for (const { path, wanted } of copies) {
      sh('mount -o loop "$C" "$D/disk"', { D: dir, C: path });
      try {
        found += await mustBeWhole(join(disk, "store"), wanted);
      } finally {
        sh('umount "$D/disk"', { D: dir });
      }
    }
    expect(found).toBeGreaterThan(0);
  });
});

/** Every thread of a process. */
const isStopped = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).every((task) =>
    /\) T /.test(readFileSync(`/proc/${pid}/task/${task}/stat`, "latin1")),
  );
