import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { SNAPSHOTTER, startBoth } from "../support/containers/snapshotter.ts";
import { workDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

const command = (...words: string[]) =>
  spawnSync(process.execPath, [SNAPSHOTTER, ...words], { encoding: "utf8", timeout: 60_000 });

describe.each(ENGINES)("commands beside $name", (engine) => {
  needs(NO_CONTAINERS);

  it("list what is there, as containerd has it; gc says what goes and lets it go", async () => {
    const registry = await startRegistry();
    const name = registry.add("test/image", threeLayers());
    const { containerd, snapshotter } = await startBoth(engine);
    const at = ["--address", snapshotter.address];
    await containerd.ask("image", "pull", "--plain-http", "--snapshotter", "tarfs", name);
    await containerd.ask(
      "run",
      "--detach",
      "--snapshotter",
      "tarfs",
      name,
      "one",
      "/bin/sh",
      "-c",
      "echo x >/x; exec sleep 1000",
    );
    const { layers, images, snapshots, conversions } = JSON.parse(command("ls", "--json", ...at).stdout);
    expect(layers.map((layer: { snapshots: number }) => layer.snapshots)).toEqual([1, 1, 1]);
    expect(images.filter(({ type }: { type: string }) => type === "erofs")).toMatchObject([{ users: 1 }]);
    expect(conversions).toEqual([]);
    const theirs = await containerd.ask("snapshots", "--snapshotter", "tarfs", "ls");
    for (const { key, kind } of snapshots) {
      const line = theirs.split("\n").find((each) => each.startsWith(key.split("/").at(-1)));
      expect(line?.toLowerCase()).toContain(kind);
    }
    expect(snapshots).toHaveLength(theirs.trim().split("\n").length - 1);
    expect(command("ls", ...at).stdout).toContain(`${snapshotter.root}/mnt/`);
    const owners: { owner: string; bytes: number; snapshots: number }[] = JSON.parse(
      command("du", "--json", ...at).stdout,
    );
    const own = owners.find(({ owner }) => owner.startsWith("directory of "));
    const [, usage = ""] = (await containerd.ask("snapshots", "--snapshotter", "tarfs", "usage", "-b", "one"))
      .trim()
      .split("\n");
    expect(own?.bytes).toBe(Number(usage.trim().split(/\s+/)[1]));
    expect(command("gc", ...at).stdout).toMatch(/^(?:image \w+\n)?\d things, \S+ MiB freed\n$/);
    await containerd.ask("task", "rm", "--force", "one");
    await containerd.ask("container", "rm", "one");
    // Without --sync nothing is collected yet, or all of it is: either is right for gc.
    await containerd.ask("image", "rm", name);
    command("gc", "--dry-run", ...at);
    await containerd.ask("image", "pull", "--plain-http", "--snapshotter", "tarfs", name);
    await containerd.ask("image", "rm", "--sync", name);
    command("gc", ...at);
    expect(command("gc", "--dry-run", ...at).stdout).toBe("0 things, 0.0 MiB would be freed\n");
    expect(JSON.parse(command("ls", "--json", ...at).stdout)).toEqual({
      ...{ layers: [], images: [], snapshots: [], conversions: [], disks: [] },
    });
  });
});

it("says that no snapshotter answers", () => {
  const { status, stderr } = command("ls", "--address", `${workDir()}/none.sock`);
  expect(status).toBe(1);
  expect(stderr).toMatch(/^Error: \S+none\.sock: no snapshotter answers: .*ENOENT/);
});
