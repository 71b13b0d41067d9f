import { describe, expect, it } from "vitest";
import { containerTree } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { ROUTES } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it.each(ROUTES)("runs an image $name as its own overlayfs does, and leaves nothing", async ({ get }) => {
    const image = threeLayers();
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine);
    const { containerd } = both;
    const before = filesOf(both);
    const name = await get(containerd, image, PROXY);
    await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
    expect(containerTree(containerd, "one")).toEqual(want);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });
});
