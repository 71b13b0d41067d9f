import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { connected } from "../support/containers/connected.ts";
import { containerTree } from "../support/containers/container-tree.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it.each(["blobs", "boots"])(
    "has a layer made again of its own blob that is lost from %s",
    async (place) => {
      const image = threeLayers();
      const want = await referenceTree(engine, image);
      const both = await startBoth(engine);
      const { containerd, snapshotter } = both;
      const before = filesOf(both);
      const name = await LOCAL_IMPORT.get(containerd, image, PROXY);
      await snapshotter.end();
      const [first] = readdirSync(join(snapshotter.root, place));
      rmSync(join(snapshotter.root, place, first));
      rmSync(join(snapshotter.root, "merged"), { recursive: true });
      await snapshotter.start();
      await connected(both);
      await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, "one");
      expect(containerTree(containerd, "one")).toEqual(want);
      expect(snapshotter.log()).toMatch(/is lost: made again of blob sha256:/);
      await removeAll(both);
      await expectNothingLeft(both, before);
    },
  );
});
