import { randomBytes } from "node:crypto";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { base } from "../support/containers/images.ts";
import { removeAll } from "../support/containers/nothing-left.ts";
import { ociImage } from "../support/containers/oci-image.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_PULL, TRANSFER_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { DISKS, smallDisk } from "../support/small-disk.ts";
import { needs } from "../support/needs.ts";

const IMAGE = ociImage([
  { tar: base() },
  { tar: tarOf([{ name: "noise", data: randomBytes(300_000).toString("base64") }]) },
]);
/** Of a disk of 4 MiB: for the first layer, and not for the second one. */
const FREE_KIB = 2350;

/** Layers, bootstraps, mounts and directories of snapshots. */
const partsOf = (root: string) =>
  ["blobs", "boots", "merged", "staging", "mnt", "snapshots"].flatMap((part) =>
    readdirSync(join(root, part)),
  );

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);
  const route = engine.major > 1 ? TRANSFER_IMPORT : LOCAL_PULL;

  it.each(DISKS)(
    "is told which disk is full, nothing is left, and it goes on with more room (%s)",
    async (kind) => {
      const want = await referenceTree(engine, IMAGE);
      const disk = smallDisk(kind, FREE_KIB, "mkdir -m 700 store");
      const root = join(disk, "store");
      const both = await startBoth(engine, {}, ["--root", root]);
      const { containerd } = both;
      await expect(route.get(containerd, IMAGE, PROXY)).rejects.toThrow(
        `layer store ${root}: ENOSPC: the disk is full`,
      );
      await removeAll(both);
      expect(partsOf(root)).toEqual([]);
      rmSync(join(disk, "filler"));
      const name = await route.get(containerd, IMAGE, PROXY);
      await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
      expect(containerTree(containerd, "one")).toEqual(want);
      // Who removes an image wants room: that takes none.
      expect(() => writeFileSync(join(disk, "filler"), Buffer.alloc(4 << 20))).toThrow("ENOSPC");
      await removeAll(both);
      expect(partsOf(root)).toEqual([]);
    },
  );
});
