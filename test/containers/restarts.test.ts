import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { connected } from "../support/containers/connected.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import type { Containerd } from "../support/containers/containerd.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { removeContainers } from "../support/containers/containers-left.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { exec } from "../support/containers/exec.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { type Both, startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

interface Interruption {
  readonly name: string;
  readonly interrupt: (both: Both) => Promise<void>;
}

const INTERRUPTIONS: readonly Interruption[] = [
  {
    name: "the snapshotter was told to end",
    interrupt: async (both) => {
      expect(await both.snapshotter.end()).toBe(0);
      await both.snapshotter.start();
      await connected(both);
    },
  },
  {
    name: "the snapshotter was killed",
    interrupt: async (both) => {
      await both.snapshotter.end("SIGKILL");
      await both.snapshotter.start();
      await connected(both);
    },
  },
  {
    name: "containerd was killed",
    interrupt: async ({ containerd }) => {
      await containerd.end();
      await containerd.start();
    },
  },
  {
    name: "both were killed",
    interrupt: async ({ containerd, snapshotter }) => {
      await Promise.all([containerd.end(), snapshotter.end("SIGKILL")]);
      await snapshotter.start();
      await containerd.start();
    },
  },
];

/** Mounts that the snapshotter has made: one an image, whatever number of containers. */
const imageMounts = ({ snapshotter: { root } }: Both) =>
  readMounts().filter(({ mountpoint }) => mountpoint.startsWith(root));
const run = ({ ask }: Containerd, image: string, id: string) =>
  ask("run", "--detach", "--snapshotter", PROXY, image, id);

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it.each(INTERRUPTIONS)(
    "has its containers go on after $name, starts others, and leaves nothing",
    async ({ interrupt }) => {
      const image = threeLayers();
      const want = await referenceTree(engine, image);
      const both = await startBoth(engine);
      const { containerd } = both;
      const before = filesOf(both);
      const name = await LOCAL_IMPORT.get(containerd, image, PROXY);
      await run(containerd, name, "before");
      await exec(containerd, "before", "echo kept >/tmp/written");
      const mounts = imageMounts(both);
      expect(mounts).toHaveLength(1);
      await interrupt(both);
      expect(await exec(containerd, "before", "cat /tmp/written /opt/gone/back")).toBe("kept\nagain\n");
      await run(containerd, name, "after");
      expect(containerTree(containerd, "after")).toEqual(want);
      expect(imageMounts(both)).toEqual(mounts);
      await removeAll(both);
      await expectNothingLeft(both, before);
    },
  );

  it("runs what it has after the machine was started again, and leaves nothing", async () => {
    const image = threeLayers();
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine);
    const { containerd, snapshotter } = both;
    const before = filesOf(both);
    const name = await LOCAL_IMPORT.get(containerd, image, PROXY);
    await run(containerd, name, "before");
    await exec(containerd, "before", "echo kept >/tmp/written");
    await Promise.all([containerd.end(), snapshotter.end("SIGKILL")]);
    // Processes, mounts and what lies in /run are gone.
    await removeContainers(containerd);
    rmSync(join(containerd.dir, "state"), { recursive: true });
    await snapshotter.start();
    await containerd.start();
    await containerd.ask("task", "start", "--detach", "before");
    expect(await exec(containerd, "before", "cat /tmp/written /opt/gone/back")).toBe("kept\nagain\n");
    await run(containerd, name, "after");
    expect(containerTree(containerd, "after")).toEqual(want);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });
});
