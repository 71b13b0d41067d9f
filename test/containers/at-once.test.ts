import { describe, expect, it } from "vitest";
import { containerTree } from "../support/containers/container-tree.ts";
import { certificateOf } from "../support/containers/containerd.ts";
import { PROXY } from "../support/containers/containerd-config.ts";
import { ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { expectNothingLeft, filesOf, removeAll } from "../support/containers/nothing-left.ts";
import { referenceTree } from "../support/containers/reference-tree.ts";
import { startRegistry } from "../support/containers/registry.ts";
import { LOCAL_IMPORT } from "../support/containers/routes.ts";
import { slowImage } from "../support/containers/slow-image.ts";
import { startBoth } from "../support/containers/snapshotter.ts";
import { needs } from "../support/needs.ts";
import { often } from "../support/often.ts";

const PULLS = 4;
const PULL = ["image", "pull", "--snapshotter", PROXY];
/** Times that a pull runs beside others' removals. */
const ROUNDS = often("NYDUSD_TS_ROUNDS", 2, 8);
/** Of one image. */
const CONTAINERS = often("NYDUSD_TS_CONTAINERS", 8, 30);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe.each(ENGINES)("$name", (engine) => {
  needs(NO_CONTAINERS);

  it("pulls the same layers for several people at once, and leaves nothing", async () => {
    const image = slowImage(3);
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine);
    const { containerd } = both;
    const before = filesOf(both);
    const registry = await startRegistry(certificateOf(containerd.dir));
    const names = numbers(PULLS).map((i) => registry.add(`test/${i}`, image));
    // Each in a namespace of its own, too: containerd has them unpacked in each.
    const others = numbers(PULLS).map((i) => `${containerd.namespace}-${i}`);
    await Promise.all([
      ...names.map((name) => containerd.ask(...PULL, name)),
      ...others.map((namespace, i) => containerd.ask("--namespace", namespace, ...PULL, names[i])),
    ]);
    for (const [i, name] of names.entries()) {
      await containerd.ask("run", "--detach", "--snapshotter", PROXY, name, `c${i}`);
      expect(containerTree(containerd, `c${i}`)).toEqual(want);
      await containerd.ask("--namespace", others[i], "image", "rm", "--sync", name);
    }
    await removeAll(both);
    await expectNothingLeft(both, before);
  });

  it("unpacks an image while others are removed", async () => {
    const image = slowImage(4);
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine);
    const { containerd } = both;
    const before = filesOf(both);
    const registry = await startRegistry(certificateOf(containerd.dir));
    const slow = registry.add("test/slow", image);
    const small = registry.add("test/small", threeLayers());
    for (const round of numbers(ROUNDS)) {
      let isDone = false;
      const removing = async () => {
        // Each of them has the snapshotter clean up.
        while (!isDone) {
          await containerd.ask(...PULL, small);
          await containerd.ask("image", "rm", "--sync", small);
        }
      };
      const pulled = containerd.ask(...PULL, slow).finally(() => {
        isDone = true;
      });
      await Promise.all([pulled, removing()]);
      await containerd.ask("run", "--detach", "--snapshotter", PROXY, slow, `c${round}`);
      expect(containerTree(containerd, `c${round}`)).toEqual(want);
      await removeAll(both);
    }
    expect(both.snapshotter.log()).not.toContain("is lost");
    await expectNothingLeft(both, before);
  });

  it(`runs ${CONTAINERS} containers of one image at once, and leaves nothing`, async () => {
    const image = threeLayers();
    const want = await referenceTree(engine, image);
    const both = await startBoth(engine);
    const { containerd } = both;
    const before = filesOf(both);
    const name = await LOCAL_IMPORT.get(containerd, image, PROXY);
    const ids = numbers(CONTAINERS).map((i) => `c${i}`);
    await Promise.all(ids.map((id) => containerd.ask("run", "--detach", "--snapshotter", PROXY, name, id)));
    for (const id of ids) expect(containerTree(containerd, id)).toEqual(want);
    await removeAll(both);
    await expectNothingLeft(both, before);
  });
});
