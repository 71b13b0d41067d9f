import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
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
import { SNAPSHOTTER, startBoth } from "../support/containers/snapshotter.ts";
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

/** What is wrong with a disk by the hashes that a guest is told of. */
async function verityProblems({ source: disk, dm_verity: told }: Volume): Promise<readonly string[]> {
  if (told === undefined) return ["no hashes"];
  const tree = {
    hashFile: undefined,
    hashOffset: Number(told["offset"]),
    dataBlocks: Number(told["blocknum"]),
  };
  return verifyDisk({ disk, root: Buffer.from(`${told["hash"]}`, "hex"), salt: undefined, ...tree });
}

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
      const { hash: _, blocknum: __, offset: ___, ...rest } = volume.dm_verity;
      expect(rest).toEqual({ hashtype: "sha256", blocksize: 512, hashsize: 4096 });
      expect(await verityProblems(volume)).toEqual([]);
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

  it.each(["image", "layer"])(
    "have hashes when they are to, whatever was made or told before (%s)",
    async (of) => {
      const both = await startBoth(ENGINE, {}, ["--export-mode", `${of}_block`]);
      const { containerd, snapshotter } = both;
      await LOCAL_IMPORT.get(containerd, threeLayers(), PROXY);
      const parent = await topOf(both);
      const key = `${containerd.namespace}/9/one`;
      const tell = (value: string) =>
        clientsOf(both).snapshots.update({
          info: { name: parent, labels: { [`containerd.io/snapshot/nydus-${of}-block`]: value } },
          updateMask: { paths: [`labels.containerd.io/snapshot/nydus-${of}-block`] },
        });
      const [start, run] = [
        async (...words: string[]) => {
          await snapshotter.end();
          await snapshotter.start(words);
        },
        (...words: string[]) =>
          execFileSync(process.execPath, [SNAPSHOTTER, ...words, "--address", snapshotter.address], {
            encoding: "utf8",
          }),
      ];
      await tell(`8,4096,sha256:${"0".repeat(64)}`);
      const { mounts } = await clientsOf(both).snapshots.prepare({ key, parent });
      for (const volume of volumesIn(mounts[0]?.options ?? [])) expect(volume.dm_verity).toBeUndefined();
      await start("--export-mode", `${of}_block_with_verity`);
      const volumes = async () =>
        volumesIn((await clientsOf(both).snapshots.mounts({ key })).mounts[0]?.options ?? []);
      const made = await volumes();
      expect(await Promise.all(made.map(verityProblems))).toEqual(made.map(() => []));
      for (const lie of [`8,4096,sha256:${"0".repeat(64)}`, "", "x"]) {
        await tell(lie);
        expect(await volumes()).toEqual(made);
      }
      // Beside a disk that is not known any more, as after a crash.
      const [first] = made;
      rmSync(`${first?.source}.tree`);
      expect(await volumes()).toEqual(made);

      const owners: { owner: string; bytes: number }[] = JSON.parse(run("du", "--json"));
      for (const { source } of made) {
        const owner = `disk ${basename(source)}`;
        const bytes = statSync(source).size + statSync(`${source}.tree`).size;
        expect(owners).toContainEqual({ owner, bytes, snapshots: 1 });
      }
      await start();
      const bytes = readdirSync(join(snapshotter.root, "disks"))
        .map((name) => statSync(join(snapshotter.root, "disks", name)).size)
        .reduce((sum, size) => sum + size, 0);
      const said = run("gc", "--dry-run");
      expect(said).toContain(`${(bytes / 2 ** 20).toFixed(1)} MiB would be freed`);
      run("gc");
      expect(readdirSync(join(snapshotter.root, "disks"))).toEqual([]);
    },
  );
});
