import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { type Containerd, startContainerd } from "../support/containers/containerd.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { startSnapshotter } from "../support/containers/snapshotter.ts";
import { workDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";
import { readMounts } from "../../src/mounts/table.ts";

const SCRIPT = ["/bin/sh", "-c", "cat /opt/kept/a; ls /opt/gone"];
const SAID = "second\nback\n";

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  const start = async (words: readonly string[] = []) => {
    const registry = await startRegistry();
    const name = registry.add("test/image", threeLayers());
    const dir = workDir();
    const snapshotter = await startSnapshotter(join(dir, "containerd.sock"), words);
    const containerd = await startContainerd(engine, { proxy: snapshotter.plugin }, dir);
    await containerd.ask("image", "pull", "--plain-http", "--snapshotter", "tarfs", name);
    const run = (id: string) => containerd.ask("run", "--rm", "--snapshotter", "tarfs", name, id, ...SCRIPT);
    return { name, snapshotter, containerd, run };
  };
  const mountsOf = (root: string) =>
    readMounts().filter(({ mountpoint }) => mountpoint.startsWith(join(root, "mnt")));

  it("a snapshotter that was killed finds its mount again", async () => {
    const { snapshotter, run } = await start();
    expect(await run("one")).toBe(SAID);
    const before = mountsOf(snapshotter.plugin.root);
    expect(before).toHaveLength(1);
    await snapshotter.end("SIGKILL");
    await snapshotter.start();
    // containerd waits for up to three seconds before it connects again, and refuses all calls meanwhile.
    const tries: string[] = [];
    while (!tries.includes(SAID) && tries.length < 50) tries.push(await run("two").catch(String));
    expect(tries.at(-1)).toBe(SAID);
    expect(mountsOf(snapshotter.plugin.root)).toEqual(before);
  });

  it("what was unmounted is mounted again, as after a reboot", async () => {
    const { snapshotter, containerd, run } = await start();
    expect(await run("one")).toBe(SAID);
    await containerd.end();
    await snapshotter.end("SIGKILL");
    for (const { mountpoint } of mountsOf(snapshotter.plugin.root)) spawnSync("umount", [mountpoint]);
    rmSync(snapshotter.plugin.address);
    await containerd.start();
    await snapshotter.start();
    expect(await run("two")).toBe(SAID);
  });

  it("a layer that is lost is made again of containerd's blob", async () => {
    const { snapshotter, run } = await start();
    const root = snapshotter.plugin.root;
    await snapshotter.end();
    const [first = ""] = readdirSync(join(root, "blobs"));
    rmSync(join(root, "blobs", first));
    rmSync(join(root, "merged"), { recursive: true });
    await snapshotter.start();
    expect(await run("two")).toBe(SAID);
    expect(snapshotter.output()).toMatch(/is lost: made again of blob sha256:/);
  });

  it("serves by FUSE what the kernel is not to mount, and containers outlive the snapshotter", async () => {
    const { snapshotter, containerd, name, run } = await start(["--driver", "fuse"]);
    await containerd.ask("run", "--detach", "--snapshotter", "tarfs", name, "one", "/bin/sleep", "1000");
    await snapshotter.end("SIGKILL");
    expect(await exec(containerd, "one")).toBe(SAID);
    await snapshotter.start();
    expect(mountsOf(snapshotter.plugin.root).map(({ type }) => type)).toEqual([
      expect.stringMatching(/^fuse/),
    ]);
    expect(await run("two")).toBe(SAID);
    await containerd.ask("task", "rm", "--force", "one");
    await containerd.ask("container", "rm", "one");
    await containerd.ask("image", "rm", "--sync", name);
    expect(mountsOf(snapshotter.plugin.root)).toEqual([]);
  });
});

const exec = (containerd: Containerd, id: string): Promise<string> =>
  containerd.ask("task", "exec", "--exec-id", "e", id, ...SCRIPT);
