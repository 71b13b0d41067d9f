import { expect, it } from "vitest";
import { NotConvertible } from "../../src/layer-store/not-convertible.ts";
import type { LayerStore } from "../../src/layer-store/layer-store.ts";
import type { Logger } from "../../src/log/log.ts";
import { MountedImages } from "../../src/snapshotter/mounted-images.ts";
import type { Tally } from "../../src/snapshotter/tally.ts";
import { workDir } from "../support/daemon.ts";

it("remembers that layers do not go together for as long as somebody needs them", async () => {
  let merges = 0;
  const store = {
    allMerged: () => [],
    merge: async () => {
      merges++;
      throw new NotConvertible("they do not go together");
    },
  } as unknown as LayerStore;
  const log = { warn: () => {} } as unknown as Logger;
  const tally = { fellBack: () => {} } as unknown as Tally;
  const images = new MountedImages(
    workDir(),
    store,
    { driver: "auto", program: new URL("file:///none") },
    log,
    tally,
  );
  const asked = async () => {
    await expect(images.mounted([`sha256:${"0".repeat(64)}`], async () => {})).rejects.toThrow(
      NotConvertible,
    );
    return merges;
  };
  expect([await asked(), await asked()]).toEqual([1, 1]);
  await images.removeOthers(() => true);
  expect(await asked()).toBe(1);
  await images.removeOthers(() => false);
  expect(await asked()).toBe(2);
});
