import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { upperOf } from "../../src/snapshotter/mount-answers.ts";
import { clientsOf } from "../support/containers/clients.ts";
import { treeAt } from "../support/containers/container-tree.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { type Both, startBoth } from "../support/containers/snapshotter.ts";
import { emptyDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

const [, ENGINE] = ENGINES;

describe("layers that are laid side by side, as containerd 2.2 and later do", () => {
  needs(NO_CONTAINERS);

  it.each([
    { name: "are one image", unpacked: [] },
    { name: "are unpacked above one that containerd has unpacked", unpacked: [1] },
    { name: "are unpacked above one at the bottom", unpacked: [0] },
  ])("$name", async ({ unpacked }) => {
    const image = threeLayers();
    const want = await referenceTree(ENGINE, image);
    const both = await startBoth(ENGINE);
    await LOCAL_IMPORT.get(both.containerd, image, "overlayfs");
    const top = await layAll(both, image.layers, unpacked);
    const { snapshots } = clientsOf(both);
    const { mounts } = await snapshots.view({ key: `${both.containerd.namespace}/9/view`, parent: top });
    const mountpoint = emptyDir();
    for (const { type, source, options } of mounts)
      execFileSync("mount", ["-t", type, "-o", options.join(","), source, mountpoint]);
    expect(withoutRoot(treeAt(mountpoint))).toEqual(withoutRoot(want));
    execFileSync("umount", [mountpoint]);
  });
});

const withoutRoot = (tree: ReturnType<typeof treeAt>) => tree.filter(({ path }) => path !== "/");

type Blob = ReturnType<typeof threeLayers>["layers"][number];

/**
 * @param unpacked numbers of layers that the snapshotter does not take, because their snapshots hold something
 * @returns the key of the top one
 */
async function layAll(both: Both, layers: readonly Blob[], unpacked: readonly number[]): Promise<string> {
  const { snapshots, diff } = clientsOf(both);
  const key = (i: number) => `${both.containerd.namespace}/${i}/extract-${i}-x sha256:${i}`;
  const name = (i: number) => (i < 0 ? "" : `${both.containerd.namespace}/${i}/sha256:${i}`);
  await Promise.all(
    layers.map(async ({ mediaType, digest, size }, i) => {
      const { mounts } = await snapshots.prepare({ key: key(i), parent: "" });
      if (unpacked.includes(i)) mkdirSync(join(upperOf(mounts[0]?.options ?? []) ?? "", "opt"));
      await diff.apply({ diff: { mediaType, digest, size: BigInt(size) }, mounts });
    }),
  );
  for (const i of layers.keys()) await snapshots.commit({ key: key(i), name: name(i), parent: name(i - 1) });
  return name(layers.length - 1);
}
