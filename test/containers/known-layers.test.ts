import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { certificateOf } from "../support/containers/containerd.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { base, changes, threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { archiveOf, ociImage } from "../support/containers/oci-image.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { PLATFORM } from "../support/containers/routes.ts";
import { type Both, startBoth } from "../support/containers/snapshotter.ts";
import { tarOf } from "../mkfs/emit.ts";
import { needs } from "../support/needs.ts";

/** The layer of one is that of the other, in another place and packed in another way: nobody but the snapshotter knows. */
const FIRST = ociImage([{ tar: base() }, { tar: tarOf([{ name: "between" }]) }, { tar: changes() }]);
const SECOND = ociImage([
  { tar: base(), compression: "none" },
  { tar: changes(), compression: "zstd" },
]);

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  /** Pulls both. @returns names, and the requests that the second one needed */
  async function pullBoth({ containerd }: Both, isLocal: boolean) {
    const registry = await startRegistry(certificateOf(containerd.dir));
    const names = [registry.add("test/first", FIRST), registry.add("test/second", SECOND)] as const;
    const words = ["image", "pull", `--local=${isLocal}`, "--platform", PLATFORM, "--snapshotter", PROXY];
    await containerd.ask(...words, names[0]);
    registry.requests.length = 0;
    await containerd.ask(...words, names[1]);
    return { names, requests: registry.requests };
  }
  const mentions = (requests: readonly string[], digest: string) =>
    requests.some((request) => request.endsWith(digest));

  it("does not fetch a layer that another image has brought, when it is told so", async () => {
    const want = await referenceTree(engine, SECOND);
    const both = await startBoth(engine, {}, ["--skip-known-layers"]);
    const { containerd } = both;
    const before = filesOf(both);
    const { names, requests } = await pullBoth(both, false);
    expect(requests.length).toBeGreaterThan(0);
    for (const { digest } of SECOND.layers) expect(mentions(requests, digest)).toBe(false);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, names[1], "one");
    expect(containerTree(containerd, "one")).toEqual(want);
    await expect(
      containerd.ask("image", "export", join(containerd.dir, "out.tar"), names[1]),
    ).rejects.toThrow(/not found/);
    await containerd.ask("image", "rm", "--sync", names[0]);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, names[1], "two");
    expect(containerTree(containerd, "two")).toEqual(want);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });

  it("does not convert it again where the route has to fetch it", async () => {
    const want = await referenceTree(engine, SECOND);
    const both = await startBoth(engine, {}, ["--skip-known-layers"]);
    const { containerd, snapshotter } = both;
    const { names } = await pullBoth(both, true);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, names[1], "one");
    expect(containerTree(containerd, "one")).toEqual(want);
    expect(snapshotter.log()).toMatch(/is in the store already/);
    await removeAll(both);
  });

  it("fetches all layers otherwise", async () => {
    const both = await startBoth(engine);
    const { requests } = await pullBoth(both, false);
    expect(mentions(requests, SECOND.layers[1].digest)).toBe(true);
    expect(both.snapshotter.log()).not.toMatch(/is in the store already/);
  });

  it("runs an image whose blobs were discarded, also after a restart; it cannot be exported", async () => {
    const image = threeLayers();
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine);
    const { containerd, snapshotter } = both;
    const name = "test.invalid/image:latest";
    const archive = join(containerd.dir, "image.tar");
    writeFileSync(archive, archiveOf(image, name));
    const words = ["--local=true", "--discard-unpacked-layers", "--snapshotter", PROXY];
    await containerd.ask("image", "import", ...words, archive);
    await containerd.ask("leases", "create", "--id", "probe");
    await containerd.ask("leases", "rm", "--sync", "probe");
    const blobs = await containerd.ask("content", "ls", "-q");
    for (const { digest } of image.layers) expect(blobs).not.toContain(digest);
    await snapshotter.end();
    await snapshotter.start();
    await containerd.end();
    await containerd.start();
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
    expect(containerTree(containerd, "one")).toEqual(want);
    await expect(containerd.ask("image", "export", join(containerd.dir, "out.tar"), name)).rejects.toThrow(
      /not found/,
    );
    await removeAll(both);
  });
});
