import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { clientsOf, topOf } from "../support/containers/clients.ts";
import { treeAt } from "../support/containers/container-tree.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { exec } from "../support/containers/exec.ts";
import { base, threeLayers } from "../support/containers/images.ts";
import { removeAll } from "../support/containers/nothing-left.ts";
import { ociImage } from "../support/containers/oci-image.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { emptyDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

const [, ENGINE] = ENGINES;
const withoutRoot = (tree: ReturnType<typeof treeAt>) => tree.filter(({ path }) => path !== "/");

describe("what people and containers may do", () => {
  needs(NO_CONTAINERS);

  it("a container may be called like a layer that is unpacked", async () => {
    const both = await startBoth(ENGINE);
    const name = await LOCAL_IMPORT.get(both.containerd, threeLayers(), PROXY);
    const words = ["run", "--detach", "--snapshotter", PROXY, name, "extract-1", "/bin/sleep", "1000"];
    await both.containerd.ask(...words);
    expect(await exec(both.containerd, "extract-1", "cat /opt/kept/a")).toBe("second\n");
  });

  it("a tree too deep for any path keeps nothing else from being removed", async () => {
    const both = await startBoth(ENGINE);
    const { containerd, snapshotter } = both;
    const name = await LOCAL_IMPORT.get(containerd, threeLayers(), PROXY);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one", "/bin/sleep", "1000");
    const usage = async () => (await containerd.ask("snapshots", "--snapshotter", PROXY, "usage")).length;
    const [id] = readdirSync(join(snapshotter.root, "snapshots")).sort((a, b) => Number(b) - Number(a));
    const upper = join(snapshotter.root, "snapshots", `${id}`, "fs");
    const deep = "d=$(printf 'x%.0s' $(seq 200)); for i in $(seq 60); do mkdir $d && cd $d || exit 1; done";
    expect(spawnSync("bash", ["-c", `cd "$1"; ${deep}`, "x", upper]).status).toBe(0);
    expect(await usage()).toBeGreaterThan(0);
    await removeAll(both);
    expect(readdirSync(join(snapshotter.root, "snapshots"))).toEqual([]);
    expect(readdirSync(join(snapshotter.root, "blobs"))).toEqual([]);
  });

  it("the root may lie behind a link", async () => {
    const both = await startBoth(ENGINE);
    const { containerd, snapshotter } = both;
    const name = await LOCAL_IMPORT.get(containerd, threeLayers(), PROXY);
    await snapshotter.end();
    renameSync(snapshotter.root, `${snapshotter.root}.real`);
    symlinkSync(`${snapshotter.root}.real`, snapshotter.root);
    await snapshotter.start();
    const { snapshots } = clientsOf(both);
    const key = `${containerd.namespace}/9/view`;
    await snapshots.view({ key, parent: await topOf(both) });
    await snapshots.mounts({ key });
    const images = readMounts().filter(({ mountpoint }) =>
      mountpoint.includes(`${snapshotter.root}.real/mnt/`),
    );
    expect(images).toHaveLength(1);
    expect(images[0]?.type).toBe("erofs");
    await snapshots.remove({ key });
    expect(name).not.toBe("");
  });

  it("a layer may be laid into a container's own directory", async () => {
    const image = ociImage([{ tar: base() }]);
    const want = await referenceTree(ENGINE, image);
    const both = await startBoth(ENGINE);
    await LOCAL_IMPORT.get(both.containerd, image, "overlayfs");
    const { snapshots, diff } = clientsOf(both);
    const key = `${both.containerd.namespace}/1/restored`;
    const { mounts } = await snapshots.prepare({ key, parent: "" });
    const [{ mediaType, digest, size }] = image.layers;
    await diff.apply({ diff: { mediaType, digest, size: BigInt(size) }, mounts });
    const again = await snapshots.mounts({ key });
    expect(again.mounts).toEqual(mounts);
    const mountpoint = emptyDir();
    for (const { type, source, options } of again.mounts)
      execFileSync("mount", ["-t", type, "-o", options.join(","), source, mountpoint]);
    expect(withoutRoot(treeAt(mountpoint))).toEqual(withoutRoot(want));
    execFileSync("umount", [mountpoint]);
  });
});
