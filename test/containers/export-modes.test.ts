import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verifyDisk } from "../../src/block/verify-disk.ts";
import { clientsOf, topOf } from "../support/containers/clients.ts";
import { connected } from "../support/containers/connected.ts";
import { treeAt } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { emptyDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

const [, ENGINE] = ENGINES;
const VOLUME = "io.katacontainers.volume=";

interface Volume {
  readonly volume_type: string;
  readonly source: string;
  readonly fs_type: string;
  readonly options: readonly string[];
  readonly dm_verity?: Readonly<Record<string, string | number>>;
}
const volumesIn = (options: readonly string[]): Volume[] =>
  options
    .filter((option) => option.startsWith(VOLUME))
    .map((option) => JSON.parse(Buffer.from(option.slice(VOLUME.length), "base64").toString()) as Volume);

/** What the kernel shows of a disk, without its root: that is the container's own. */
function treeOf(disk: string) {
  const mountpoint = emptyDir();
  execFileSync("mount", ["-t", "erofs", "-o", "ro,loop", disk, mountpoint]);
  try {
    return treeAt(mountpoint).filter(({ path }) => path !== "/");
  } finally {
    execFileSync("umount", [mountpoint]);
  }
}

describe("images for virtual machines", () => {
  needs(NO_CONTAINERS);

  const cases = [
    { mode: "image_block", type: "image_raw_block", count: 1, hasVerity: false },
    { mode: "image_block_with_verity", type: "image_raw_block", count: 1, hasVerity: true },
    { mode: "layer_block", type: "layer_raw_block", count: 3, hasVerity: false },
    { mode: "layer_block_with_verity", type: "layer_raw_block", count: 3, hasVerity: true },
  ];
  it.each(cases)("are disks that Kata is told of ($mode)", async ({ mode, type, count, hasVerity }) => {
    const image = threeLayers();
    const want = await referenceTree(ENGINE, image);
    const both = await startBoth(ENGINE, {}, ["--export-mode", mode]);
    const { containerd, snapshotter } = both;
    const before = filesOf(both);
    await LOCAL_IMPORT.get(containerd, image, PROXY);
    const { snapshots } = clientsOf(both);
    const [key, parent] = [`${containerd.namespace}/9/one`, await topOf(both)];
    const { mounts } = await snapshots.prepare({ key, parent });
    expect(mounts).toMatchObject([{ type: "fuse.nydus-overlayfs", source: "overlay" }]);
    const options = mounts[0]?.options ?? [];
    expect(options.map((option) => option.replace(/=.*/, ""))).toEqual([
      ...["workdir", "upperdir", "lowerdir"],
      ...Array.from({ length: count }, () => "io.katacontainers.volume"),
    ]);
    const volumes = volumesIn(options);
    for (const volume of volumes) {
      expect(volume).toMatchObject({ volume_type: type, fs_type: "erofs", options: ["ro"] });
      expect(volume.dm_verity !== undefined).toBe(hasVerity);
      if (volume.dm_verity === undefined) continue;
      const { hash, blocknum, offset, ...rest } = volume.dm_verity;
      expect(rest).toEqual({ hashtype: "sha256", blocksize: 512, hashsize: 4096 });
      const tree = { hashFile: undefined, hashOffset: Number(offset), dataBlocks: Number(blocknum) };
      const root = Buffer.from(`${hash}`, "hex");
      expect(verifyDisk({ disk: volume.source, root, salt: undefined, ...tree })).toEqual([]);
    }
    // Layers have what they take away as files, as their tars.
    if (count === 1)
      expect(treeOf(volumes[0]?.source ?? "")).toEqual(want.filter(({ path }) => path !== "/"));
    else for (const { source } of volumes) expect(treeOf(source).length).toBeGreaterThan(1);

    const label = `containerd.io/snapshot/nydus-${count === 1 ? "image" : "layer"}-block`;
    const { info } = await snapshots.stat({ key: parent });
    const verity = volumes[0]?.dm_verity;
    expect(info?.labels[label]).toBe(
      verity === undefined ? "" : `${verity["blocknum"]},${verity["offset"]},sha256:${verity["hash"]}`,
    );
    const made = volumes.map(({ source }) => statSync(source).mtimeMs);
    await snapshotter.end("SIGKILL");
    await snapshotter.start();
    expect((await clientsOf(both).snapshots.mounts({ key })).mounts).toEqual(mounts);
    expect(volumes.map(({ source }) => statSync(source).mtimeMs)).toEqual(made);
    await clientsOf(both).snapshots.remove({ key });
    await connected(both);
    await removeAll(both);
    expect(readdirSync(join(snapshotter.root, "disks"))).toEqual([]);
    await expectNothingLeft(both, before);
  });
});
