import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { clientsOf, topOf } from "../support/containers/clients.ts";
import { connected } from "../support/containers/connected.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { base, threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { ociImage } from "../support/containers/oci-image.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { mentioning } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it("runs an image by FUSE as its own overlayfs does; containers outlive the snapshotter", async () => {
    const image = threeLayers();
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine, {}, ["--driver", "fuse"]);
    const { containerd, snapshotter } = both;
    const before = filesOf(both);
    const name = await LOCAL_IMPORT.get(containerd, image, PROXY);
    const run = (id: string) => containerd.ask("run", "--detach", "--snapshotter", PROXY, name, id);
    await run("one");
    expect(containerTree(containerd, "one")).toEqual(want);
    await snapshotter.end("SIGKILL");
    expect(containerTree(containerd, "one")).toEqual(want);
    await snapshotter.start();
    await connected(both);
    await run("two");
    expect(containerTree(containerd, "two")).toEqual(want);
    const mounts = readMounts().filter(({ mountpoint }) => mountpoint.startsWith(snapshotter.root));
    expect(mounts.map(({ type }) => type)).toEqual([expect.stringMatching(/^fuse/)]);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });

  it("serves everybody else while a daemon is stopped", async () => {
    const both = await startBoth(engine, {}, ["--driver", "fuse"]);
    const { containerd, snapshotter } = both;
    const name = await LOCAL_IMPORT.get(containerd, threeLayers(), PROXY);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
    const daemons = mentioning(join(snapshotter.root, "mnt"));
    expect(daemons.length).toBeGreaterThan(0);
    for (const pid of daemons) process.kill(Number(pid), "SIGSTOP");
    try {
      const { snapshots } = clientsOf(both);
      const parent = await topOf(both);
      // More than Node has threads for files.
      const asked = Array.from({ length: 8 }, (_, i) =>
        snapshots.prepare({ key: `${containerd.namespace}/${i}/waits`, parent }),
      );
      const answers = Promise.allSettled(asked);
      const { mounts } = await snapshots.prepare({ key: `${containerd.namespace}/9/free`, parent: "" });
      expect(mounts).toHaveLength(1);
      await LOCAL_IMPORT.get(containerd, ociImage([{ tar: base() }]), PROXY);
      for (const answer of await answers)
        expect(answer).toMatchObject({
          status: "rejected",
          reason: { message: expect.stringMatching(/\/mnt\/\w+: its daemon does not answer/) },
        });
    } finally {
      for (const pid of daemons) process.kill(Number(pid), "SIGCONT");
    }
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "two");
    await removeAll(both);
  });
});
