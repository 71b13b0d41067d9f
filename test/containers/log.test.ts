import { describe, expect, it } from "vitest";
import { layerFields } from "../../src/snapshotter/layer-fields.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { LOCAL_PULL } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

const IMAGE = "containerd.io/snapshot/cri.image-ref";

it("a line about a layer says whose it is, and of which image where that is known", () => {
  const key = "k8s.io/7/extract-1-a sha256:ab";
  const fields = { namespace: "k8s.io", snapshot: key, layer: "sha256:cd" };
  expect(layerFields({ key, labels: {} }, "sha256:cd")).toEqual(fields);
  const image = "docker.io/library/debian:12";
  expect(layerFields({ key, labels: { [IMAGE]: image } }, "sha256:cd")).toEqual({ ...fields, image });
});

describe.each(ENGINES)("the log beside $name", (engine) => {
  needs(NO_CONTAINERS);

  it("has each layer once, with its digests, bytes and namespace", async () => {
    const { containerd, snapshotter } = await startBoth(engine);
    const image = threeLayers();
    await LOCAL_PULL.get(containerd, image, PROXY);
    const lines = snapshotter
      .log()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line));
    const stored = lines.filter(({ message }) => message.endsWith(": stored"));
    const { layers } = JSON.parse(Buffer.from(image.blobs.get(image.manifest.digest) ?? []).toString());
    expect(stored.map(({ layer }) => layer)).toEqual(layers.map(({ digest }: { digest: string }) => digest));
    for (const line of stored)
      expect(line).toMatchObject({
        ...{ level: "info", namespace: containerd.namespace },
        snapshot: expect.stringContaining(`${containerd.namespace}/`),
        diff_id: expect.stringMatching(/^sha256:/),
        bytes: expect.any(Number),
        ms: expect.any(Number),
      });
  });
});
