import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { blobFlags, emptyDir, isMounted, mountErofs, run, start, workDir } from "../support/daemon.ts";
import { fixture, fixtureNames } from "../support/image.ts";
import { needs } from "../support/needs.ts";
import { dumpTree, sorted } from "../support/tree.ts";

/** Fixtures with a tree: two more are refused (test/erofs). */
const served = fixtureNames.filter((name) => fixture(name).entries.length > 0);
const hasErofs = readFileSync("/proc/filesystems", "utf8").includes("\terofs");

it("finds the fixtures", () => expect(served.length).toBe(16));

/** Images with names, targets or xattr names that are not UTF-8: fuse-native refuses them, naming the first. */
const notUtf8 = new Set(["03", "10", "14", "20", "22", "23", "24", "25", "26"]);
const isUtf8 = (name: string) => !notUtf8.has(name.slice(0, 2));

describe.each(["direct", "fuse-native"])("%s shows what the kernel shows", (transport) => {
  it.each(served.filter((name) => transport === "direct" || isUtf8(name)))("%s", async (name) => {
    const { path, devices, entries } = fixture(name);
    const daemon = await start(["--bootstrap", path, ...blobFlags(devices), "--transport", transport]);
    const tree = sorted(dumpTree(daemon.mountpoint));
    expect(tree.length).toBe(entries.length);
    expect(tree).toEqual(sorted(entries));
    expect(await daemon.stop()).toBe(0);
  });
});

describe("fuse-native refuses what it cannot show right", () => {
  it.each(served.filter((name) => !isUtf8(name)))("%s", (name) => {
    const { path, devices } = fixture(name);
    const mountpoint = emptyDir();
    const flags = ["-B", path, ...blobFlags(devices), "-M", mountpoint, "--transport", "fuse-native"];
    const { status, stderr } = run(flags);
    expect(stderr).toMatch(
      /^Error: fuse-native cannot show .* that are not UTF-8, the first is .*--transport direct$/m,
    );
    expect(status).toBe(1);
    expect(isMounted(mountpoint)).toBe(false);
  });
});

describe("kernel EROFS agrees", () => {
  needs(hasErofs ? undefined : "this kernel has no EROFS");

  it.each(served)("%s", async (name) => {
    const { path, devices } = fixture(name);
    const daemon = await start(["--bootstrap", path, ...blobFlags(devices)]);
    const oracle = join(workDir(), "erofs");
    mkdirSync(oracle);
    mountErofs(path, devices, oracle);
    const ours = sorted(dumpTree(daemon.mountpoint));
    expect(ours.length).toBeGreaterThan(1);
    expect(ours).toEqual(sorted(dumpTree(oracle)));
    expect(statfs(daemon.mountpoint)).toEqual(statfs(oracle));
    expect(blocks(daemon.mountpoint)).toEqual(blocks(oracle));
    expect(await daemon.stop()).toBe(0);
  });
});

/** Block size, blocks, free, inodes, free inodes, longest name. */
const statfs = (path: string): string => output("stat", ["-f", "-c", "%S %b %f %c %d %l", path]);
/** st_blocks, and types as readdir gives them, of everything. */
const blocks = (path: string): string =>
  output("find", [path, "-printf", "%P %b %y\\n"]).split("\n").sort().join("\n");

function output(command: string, args: string[]): string {
  const child = spawnSync(command, args, { encoding: "latin1", timeout: 60_000 });
  expect(child.stderr).toBe("");
  expect(child.stdout).not.toBe("");
  return child.stdout;
}
