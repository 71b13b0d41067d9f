import { join } from "node:path";
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { workDir } from "../support/daemon.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import { containersLeft } from "../support/containers/containers-left.ts";
import { type Containerd, startContainerd } from "../support/containers/containerd.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { startSnapshotter } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

const NOTHING = { mounts: [], loops: [], processes: [], shims: [] };

/** What is there when nothing is. */
const EMPTY_STORE = [
  ...["blobs", "boots", "empty", "lock", "merged", "metadata.lmdb", "metadata.lmdb-lock", "mnt", "snapshots"],
  ...["staging"],
];

/** Without the root's times: it is a directory of the container's own. */
const treeOf = (containerd: Containerd, id: string) =>
  containerTree(containerd, id).map((entry) =>
    entry.path === "/" ? { ...entry, mtime: 0, mtime_nsec: 0 } : entry,
  );

describe.each(ENGINES)("$name with layers as tars", (engine) => {
  needs(NO_CONTAINERS);

  it("runs what it has pulled, as overlayfs shows it, and leaves nothing", async () => {
    const registry = await startRegistry();
    const name = registry.add("test/image", threeLayers());
    const dir = workDir();
    const snapshotter = await startSnapshotter(join(dir, "containerd.sock"));
    const containerd = await startContainerd(engine, { proxy: snapshotter.plugin }, dir);
    for (const each of ["tarfs", "overlayfs"])
      await containerd.ask("image", "pull", "--plain-http", "--snapshotter", each, name);
    const said = await containerd.ask(
      ...["run", "--rm", "--snapshotter", "tarfs", name, "one", "/bin/sh", "-c"],
      "cat /opt/gone/back /opt/kept/a; ls /opt/opaque /opt/gone; echo more >/opt/kept/a",
    );
    expect(said).toBe("again\nsecond\n/opt/gone:\nback\n\n/opt/opaque:\nnewest\n");
    for (const each of ["tarfs", "overlayfs"])
      await containerd.ask("run", "--detach", "--snapshotter", each, name, each, "/bin/sleep", "1000");
    expect(treeOf(containerd, "tarfs")).toEqual(treeOf(containerd, "overlayfs"));
    for (const each of ["tarfs", "overlayfs"]) {
      await containerd.ask("task", "rm", "--force", each);
      await containerd.ask("container", "rm", each);
    }
    await containerd.ask("image", "rm", "--sync", name);
    expect(containersLeft(containerd)).toEqual(NOTHING);
    expect(containersLeft({ dir: snapshotter.dir, namespace: "none" }).mounts).toEqual([]);
    expect(readdirSync(snapshotter.plugin.root, { recursive: true }).sort()).toEqual(EMPTY_STORE);
  }, 120_000);
});
