import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Containerd, startContainerd } from "../support/containers/containerd.ts";
import { PAUSE, PROXY } from "../support/containers/containerd-config.ts";
import { containersLeft } from "../support/containers/containers-left.ts";
import { Cri, criAbsent, type Pod } from "../support/containers/cri.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { archiveOf } from "../support/containers/oci-image.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

/** Pulls an image, and runs a pod of it. */
async function podOf(containerd: Containerd): Promise<{ cri: Cri; image: string; pod: Pod }> {
  const archive = join(containerd.dir, "pause.tar");
  writeFileSync(archive, archiveOf(threeLayers(), PAUSE));
  await containerd.ask("--namespace", "k8s.io", "image", "import", archive);
  const image = (await startRegistry()).add("test/image", threeLayers());
  const cri = new Cri(containerd);
  await cri.pull(image);
  const pod = await cri.run("pod", image);
  expect(await cri.exec(pod, "cat /opt/gone/back")).toBe("again\n");
  return { cri, image, pod };
}

describe.each(ENGINES)("$name for Kubernetes", (engine) => {
  needs(NO_CONTAINERS ?? criAbsent());

  it("pulls an image, runs a pod of it, and removes both, by its own overlayfs", async () => {
    const { cri, image, pod } = await podOf(await startContainerd(engine, { cri: true }));
    await cri.remove(pod);
    await cri.ask("ImageService/RemoveImage", { image: { image } });
  });

  it("pulls an image, runs a pod of it, and removes both, as tars", async () => {
    const { containerd, snapshotter } = await startBoth(engine, { cri: true });
    const { cri, image, pod } = await podOf(containerd);
    expect(await cri.ask("ImageService/ImageFsInfo")).toMatchObject({
      imageFilesystems: [{ fsId: { mountpoint: snapshotter.root } }],
    });
    const names = (
      await containerd.ask("--namespace", "k8s.io", "snapshots", "--snapshotter", PROXY, "ls")
    ).split("\n");
    expect(names.filter((line) => line.trimEnd().endsWith("Committed"))).toHaveLength(3);
    await cri.remove(pod);
    await cri.ask("ImageService/RemoveImage", { image: { image } });
    await containerd.ask("--namespace", "k8s.io", "image", "rm", "--sync", PAUSE);
    expect(containersLeft(containerd)).toEqual({ mounts: [], loops: [], processes: [], shims: [] });
  });
});
