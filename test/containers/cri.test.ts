import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startContainerd } from "../support/containers/containerd.ts";
import { PAUSE } from "../support/containers/containerd-config.ts";
import { Cri, criAbsent } from "../support/containers/cri.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { archiveOf } from "../support/containers/oci-image.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { needs } from "../support/needs.ts";

describe.each(ENGINES)("$name for Kubernetes, by its own overlayfs", (engine) => {
  needs(NO_CONTAINERS ?? criAbsent());

  it("pulls an image, runs a pod of it, and removes both", async () => {
    const containerd = await startContainerd(engine, { cri: true });
    const archive = join(containerd.dir, "pause.tar");
    writeFileSync(archive, archiveOf(threeLayers(), PAUSE));
    await containerd.ask("--namespace", "k8s.io", "image", "import", archive);
    const registry = await startRegistry();
    const image = registry.add("test/image", threeLayers());
    const cri = new Cri(containerd);
    await cri.pull(image);
    const pod = await cri.run("pod", image);
    expect(await cri.exec(pod, "cat /opt/gone/back")).toBe("again\n");
    await cri.remove(pod);
    await cri.ask("ImageService/RemoveImage", { image: { image } });
  });
});
