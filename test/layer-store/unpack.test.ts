import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { Random } from "../fuzz/random.ts";
import { type Made, SOME_OF_EVERYTHING, SPARSE, tarOf } from "../mkfs/emit.ts";
import { emptyDir, sh } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { dumpTree, sorted } from "../support/tree.ts";
import { linesOf, unpackedOf } from "../unpackers/compare.ts";
import { RandomStack } from "../unpackers/random-stack.ts";
import { Unpackers, unpackersAbsent } from "../unpackers/unpackers.ts";
import { blobOf, never, openStore } from "./support.ts";

/** What overlayfs makes of directories, the highest first. */
function shown<T>(layers: readonly string[], look: (root: string) => T): T {
  const mountpoint = emptyDir();
  const bottom = emptyDir();
  sh('mount -t overlay -o "ro,lowerdir=$L" overlay "$M"', {
    L: [...layers, bottom].join(":"),
    M: mountpoint,
  });
  try {
    return look(mountpoint);
  } finally {
    sh('umount "$M"', { M: mountpoint });
  }
}

const lines = (layers: readonly string[]) =>
  shown(layers, (root) =>
    linesOf({
      entries: unpackedOf(dumpTree(root), (_, path) => readFileSync(join(root, path))),
    }),
  );

/** overlayfs lists whiteouts that take nothing away, and then has no such file. */
function linesOrNone(layers: readonly string[]) {
  try {
    return lines(layers);
  } catch {
    return undefined;
  }
}

/** Unpacks layers by a store, each above those below it. @returns their directories, the highest first */
async function unpacked(stack: readonly Uint8Array[]): Promise<string[]> {
  const { store } = await openStore();
  const directories: string[] = [];
  for (const tar of stack) {
    const { diffId } = await store.convert(blobOf(tar), never());
    const directory = emptyDir();
    await store.unpack(diffId, directory, directories, never());
    directories.unshift(directory);
  }
  return directories;
}

it("a layer is what GNU tar makes of it, and what is taken away by what overlayfs has for that", async () => {
  const old: Made = { name: "d/old", data: "x", pax: { mtime: "-5.25" } };
  // GNU tar makes no link before its target, and gives a directory no time back that it has left.
  const entries = SOME_OF_EVERYTHING.filter(({ name }) => !/early|through/.test(name)).toSpliced(2, 0, old);
  const [directory = ""] = await unpacked([tarOf([{ name: "gone", data: "x" }]), tarOf(entries)]);
  const own = emptyDir();
  const plain = entries.filter(({ name }) => !name.includes(".wh."));
  writeFileSync(join(own, "../tar"), tarOf(plain));
  sh('tar -C "$D" -xpf "$D/../tar" --numeric-owner --xattrs --xattrs-include="*" 2>/dev/null', { D: own });
  const isOurs = ({ path = "" }) => path !== "/gone";
  const without = (root: string) =>
    sorted(dumpTree(root))
      .filter(isOurs)
      .map(({ ino, ...rest }) => rest);
  const opaque = { "trusted.overlay.opaque": Buffer.from("y").toString("base64") };
  const want = without(own).map((e) => (e.path === "/d" ? { ...e, xattrs: { ...opaque, ...e.xattrs } } : e));
  expect(without(directory)).toEqual(want);
  const gone = dumpTree(directory).find(({ path }) => path === "/gone");
  expect(gone).toMatchObject({ mode: "0020000", rdev: [0, 0] });
});

it("holes of a sparse file are holes", async () => {
  const [directory = ""] = await unpacked([tarOf([SPARSE])]);
  const file = join(directory, "sparse");
  expect(readFileSync(file)).toEqual(
    Buffer.concat([Buffer.alloc(4096), Buffer.alloc(1024, "s"), Buffer.alloc((1 << 20) - 5120)]),
  );
  expect(statSync(file).blocks).toBe(8);
});

it("a directory that a layer only passes through looks as it does below", async () => {
  const below = tarOf([
    {
      name: "a/",
      type: "5",
      mode: 0o1777,
      uid: 5,
      gid: 6,
      mtime: 77,
      pax: { "SCHILY.xattr.user.x": "1", mtime: "77.5" },
    },
    { name: "b/", type: "5", mode: 0o700 },
    { name: "c", data: "a file below" },
  ]);
  const above = tarOf([
    { name: "a/x", data: "x" },
    { name: "b/.wh..wh..opq" },
    { name: "c/x", data: "x" },
    { name: ".wh.gone" },
    { name: "new/x", data: "x" },
  ]);
  const [directory = ""] = await unpacked([below, above]);
  const found = dumpTree(directory);
  expect(found.filter(({ path }) => path === "/gone")).toEqual([]);
  const of = (path: string) => found.find((e) => e.path === path);
  expect(of("/a")).toMatchObject({ mode: "0041777", uid: 5, gid: 6, mtime: 77, mtime_nsec: 500_000_000 });
  expect(of("/a")?.xattrs).toEqual({ "user.x": Buffer.from("1").toString("base64") });
  expect(of("/b")).toMatchObject({ mode: "0040700" });
  expect(of("/c")).toMatchObject({ mode: "0040755", uid: 0 });
  expect(of("/new")).toMatchObject({ mode: "0040755", uid: 0 });
});

it("what a layer takes away and brings again is not what was below", async () => {
  const below = tarOf([
    { name: "d/", type: "5" },
    { name: "d/old", data: "x" },
    { name: "f", data: "old" },
  ]);
  const above = tarOf([
    { name: ".wh.d" },
    { name: "d/", type: "5" },
    { name: "d/new", data: "y" },
    { name: ".wh.f" },
    { name: "f", data: "new" },
  ]);
  const paths = shown(await unpacked([below, above]), (root) => dumpTree(root).map(({ path }) => path));
  expect(paths).toEqual(["/", "/d", "/d/new", "/f"]);
});

describe("a failure", () => {
  const TAR = tarOf([...SOME_OF_EVERYTHING, { name: "z\xff", data: "z" }]);
  it("leaves the directory empty, whatever its names are", async () => {
    const { store } = await openStore();
    const { diffId, tar } = await store.convert(
      blobOf(
        tarOf([
          { name: "a/\xff", data: "x" },
          { name: "b", data: "y".repeat(5000) },
        ]),
      ),
      never(),
    );
    sh('chmod u+w "$T"; truncate -s 3000 "$T"', { T: tar });
    const directory = emptyDir();
    await expect(store.unpack(diffId, directory, [], never())).rejects.toThrow(/\.boot @0x/);
    expect(readdirSync(directory)).toEqual([]);
  });

  it("touches nothing of a directory that is not empty", async () => {
    const { store } = await openStore();
    const { diffId } = await store.convert(blobOf(TAR), never());
    const directory = emptyDir();
    writeFileSync(join(directory, "mine"), "x");
    await expect(store.unpack(diffId, directory, [], never())).rejects.toThrow(`${directory}: not empty`);
    expect(readdirSync(directory)).toEqual(["mine"]);
  });
});

describe("a random stack, unpacked layer by layer", () => {
  needs(unpackersAbsent());
  const STACKS = 60;
  const dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "nydusd-ts-overlay-"));
  const unpackers = new Unpackers();
  afterAll(() => {
    unpackers.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it("is what containerd's directories and umoci show, where those agree", async () => {
    let agreed = 0;
    for (let seed = 1; seed <= STACKS; seed++) {
      const stack = new RandomStack(new Random(seed)).layers().map(tarOf);
      const own = join(dir, `${seed}`);
      mkdirSync(own);
      const tars = stack.map((tar, i) => {
        writeFileSync(join(own, `${i}.tar`), tar);
        return join(own, `${i}.tar`);
      });
      const { umoci, overlay } = await unpackers.unpack(own, tars, true);
      const want = linesOf(umoci);
      if (want === undefined || overlay?.refused !== undefined) continue;
      const theirs = linesOrNone(tars.map((_, i) => join(own, "overlay", `${i}`)).reverse());
      if (theirs?.join("\n") !== want.join("\n")) continue;
      agreed++;
      expect({ seed, tree: lines(await unpacked(stack)) }).toEqual({ seed, tree: want });
    }
    expect(agreed).toBeGreaterThan(STACKS / 6);
  });
});
