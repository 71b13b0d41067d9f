import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { STACKS } from "../mkfs/agreed-stacks.ts";
import { tarOf } from "../mkfs/emit.ts";
import { type Inside, treeAt } from "../support/containers/container-tree.ts";
import type { Containerd } from "../support/containers/containerd.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { archiveOf, ociImage } from "../support/containers/oci-image.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { emptyDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

/** What an image looks like by a snapshotter; undefined when containerd does not unpack it. */
async function treeBy(containerd: Containerd, archive: string, name: string, snapshotter: string) {
  const words = ["image", "import", "--local=true", "--snapshotter", snapshotter, archive];
  if ((await containerd.ctr(...words)).status !== 0) return undefined;
  const mountpoint = emptyDir();
  await containerd.ask("image", "mount", "--snapshotter", snapshotter, name, mountpoint);
  const tree = treeAt(mountpoint);
  await containerd.ask("image", "unmount", "--snapshotter", snapshotter, "--rm", mountpoint);
  return tree;
}

/** What containerd's overlayfs makes otherwise than OCI's text, containerd's own other snapshotters and umoci, which are followed here. */
const OTHERWISE = [
  "a directory removed and made again in one layer", // it has what was in it again
  "new attributes of the root", // nobody unpacks those
  "a file behind a lower layer's symlink", // the link becomes a directory
  "a file behind a lower layer's absolute symlink",
];
const REFUSED = ["a directory becomes a file, and loses its own one by one"];

/** Directories that only this layer passes through, or that it removes something from, have the time of unpacking by overlayfs. */
const withoutTimesOf = (tree: readonly Inside[], unpacked: ReadonlySet<string | undefined>) =>
  tree.map((entry) => (unpacked.has(entry.path) ? { ...entry, mtime: 0, mtime_nsec: 0 } : entry));

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it("shows every stack of layers on which others agree as by its own overlayfs", async () => {
    const both = await startBoth(engine);
    const { containerd } = both;
    const before = filesOf(both);
    const began = Math.floor(Date.now() / 1000);
    const [differing, refused]: [object[], string[]] = [[], []];
    for (const [i, [stack, layers]] of STACKS.entries()) {
      const image = ociImage(layers.map((entries) => ({ tar: tarOf(entries) })));
      const name = `test.invalid/${i}:latest`;
      const archive = join(containerd.dir, "image.tar");
      writeFileSync(archive, archiveOf(image, name));
      const want = await treeBy(containerd, archive, name, "overlayfs");
      if (want === undefined) {
        refused.push(stack);
        continue;
      }
      const tree = (await treeBy(containerd, archive, name, PROXY)) ?? [];
      const isNew = ({ mode, mtime }: Inside) => mode.startsWith("004") && mtime >= began;
      const unpacked = new Set(want.filter(isNew).map(({ path }) => path));
      const [ours, theirs] = [withoutTimesOf(tree, unpacked), withoutTimesOf(want, unpacked)];
      if (!isDeepStrictEqual(ours, theirs)) {
        const only = (some: readonly Inside[], others: readonly Inside[]) =>
          some.filter((entry) => !others.some((other) => isDeepStrictEqual(entry, other)));
        if (!OTHERWISE.includes(stack))
          differing.push({ stack, ours: only(ours, theirs), theirs: only(theirs, ours) });
      }
    }
    expect({ differing, refused }).toEqual({ differing: [], refused: REFUSED });
    await removeAll(both);
    await expectNothingLeft(both, before);
  });
});
