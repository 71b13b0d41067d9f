import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { isImage, mountAt } from "../../src/mounts/table.ts";
import { PAUSE, PROXY } from "../support/containers/containerd-config.ts";
import { treeAt } from "../support/containers/container-tree.ts";
import { containersLeft } from "../support/containers/containers-left.ts";
import { Cri, criAbsent } from "../support/containers/cri.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { archiveOf } from "../support/containers/oci-image.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { shell } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

const SNAPSHOTTER = ["--snapshotter", PROXY];

describe.each(ENGINES)("an image that is only looked at, by $name,", (engine) => {
  needs(NO_CONTAINERS);

  it("is the image's mount once more, read-only, and goes again", async () => {
    const both = await startBoth(engine);
    const { containerd } = both;
    const before = filesOf(both);
    const name = await LOCAL_IMPORT.get(containerd, threeLayers(), PROXY);
    const at = ["one", "two"].map((each) => join(containerd.dir, each));
    for (const dir of at) {
      mkdirSync(dir);
      await containerd.ask("image", "mount", ...SNAPSHOTTER, name, dir);
      const mount = mountAt(dir);
      expect(mount !== undefined && isImage(mount)).toBe(true);
      expect(treeAt(dir)).toEqual(await referenceTree(engine, threeLayers()));
      const { status, stderr } = await shell('touch "$1/new"', dir);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: expect.stringContaining("Read-only file system"),
      });
    }
    expect(mountAt(at[0] ?? "")?.device).toBe(mountAt(at[1] ?? "")?.device);
    for (const dir of at) await containerd.ask("image", "unmount", ...SNAPSHOTTER, "--rm", dir);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });
});

describe.each(ENGINES.slice(1))("an image as a volume of a pod, by $name,", (engine) => {
  needs(NO_CONTAINERS ?? criAbsent());

  it("is there, read-only, beside the container's own", async () => {
    const { containerd } = await startBoth(engine, { cri: true });
    for (const name of [PAUSE, "volume.test/volume:latest"]) {
      const archive = join(containerd.dir, "image.tar");
      writeFileSync(archive, archiveOf(threeLayers(), name));
      await containerd.ask(
        "--namespace",
        "k8s.io",
        "image",
        "import",
        ...(name === PAUSE ? [] : SNAPSHOTTER),
        archive,
      );
    }
    const cri = new Cri(containerd);
    const image = { image: "volume.test/volume:latest" };
    const pod = await cri.run("pod", PAUSE, [{ container_path: "/opt/volume", image, readonly: true }]);
    const script =
      "cat /opt/volume/opt/gone/back; ls /opt/volume/opt/opaque; touch /opt/volume/new 2>/dev/null || echo refused";
    expect(await cri.exec(pod, script)).toBe("again\nnewest\nrefused\n");
    await cri.remove(pod);
    // Its names, and the one that Kubernetes' interface gives it.
    const names = await containerd.ask("--namespace", "k8s.io", "image", "ls", "-q");
    await containerd.ask(
      "--namespace",
      "k8s.io",
      "image",
      "rm",
      "--sync",
      ...names.split("\n").filter(Boolean),
    );
    expect(containersLeft(containerd)).toEqual({ mounts: [], loops: [], processes: [], shims: [] });
  });
});
