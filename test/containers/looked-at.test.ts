import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SHA256 } from "../../src/bytes/sha256.ts";
import { tarOf } from "../mkfs/emit.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { base } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { ociImage } from "../support/containers/oci-image.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { until } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it("knows of a large image that it is right before a container is run, and forgets it with the image", async () => {
    const folders = ["opt", "opt/many", ...Array.from({ length: 60 }, (_, i) => `opt/many/${i}`)];
    const files = Array.from({ length: 6_000 }, (_, i) => ({
      name: `opt/many/${i % 60}/file${i}`,
      data: `${i}`,
    }));
    const many = tarOf([...folders.map((name) => ({ name: `${name}/`, type: "5" })), ...files]);
    const image = ociImage([{ tar: base() }, { tar: many }]);
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine);
    const { containerd, snapshotter } = both;
    const before = filesOf(both);
    const name = await LOCAL_IMPORT.get(containerd, image, PROXY);
    const verdicts = join(snapshotter.root, "verdicts");
    const written = () =>
      (existsSync(verdicts) ? readdirSync(verdicts) : []).filter((each) => SHA256.test(each));
    await until(() => written().length === 1, "a verdict");
    const note = join(verdicts, written()[0] ?? "");
    const bytes = readFileSync(note);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
    expect(containerTree(containerd, "one")).toEqual(want);
    expect(readFileSync(note)).toEqual(bytes);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });
});
