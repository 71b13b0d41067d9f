import fc from "fast-check";
import { expect, it } from "vitest";
import { LayeredImage } from "../../src/layers/layered-image.ts";
import { usageByDirectory, usageByLayer } from "../../src/layers/usage.ts";
import { dir, file } from "../mkfs/support.ts";
import { scratchDir } from "../support/image.ts";
import { naiveVersions } from "./naive-model.ts";
import { entriesOf, layer } from "./random-layer.ts";
import { layersOf } from "./support.ts";

const RUNS = 60;

it(`bytes of each layer, by what became of them, are those of a plain model (${RUNS} stacks)`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), async (layers) => {
      const stack = layers.map((what) => entriesOf(what));
      const sums = new Map<string, number>();
      for (const [path, of, fate] of naiveVersions(stack)) {
        const size = stack[of - 1]?.find(({ name }) => `/${name}` === path)?.data?.length ?? 0;
        sums.set(`${of} ${fate}`, (sums.get(`${of} ${fate}`) ?? 0) + size);
      }
      const image = new LayeredImage(await layersOf(stack, scratchDir()));
      const usage = usageByLayer(image);
      for (const { layer: of, own, seen, hidden } of usage) {
        for (const [fate, size] of [["seen", seen], ...Object.entries(hidden)] as const)
          expect([of, fate, size]).toEqual([of, fate, sums.get(`${of} ${fate}`) ?? 0]);
        expect(own).toBe(Object.values(hidden).reduce((sum, size) => sum + size, seen));
      }
      const root = usageByDirectory(image, 0)[0] ?? { seen: 0, hidden: 0 };
      const all = usage.reduce((sum, { own }) => sum + own, 0);
      expect(root.seen + root.hidden).toBe(all);
      expect(root.seen).toBe(usage.reduce((sum, { seen }) => sum + seen, 0));
    }),
    { numRuns: RUNS, seed: 20 },
  );
});

it("a file of several names is hidden when the last of them is, and is the layer's that brought it", async () => {
  const link = { name: "d/two", type: "1", link: "d/one" };
  const base = [dir("d/"), file("d/one", "12345"), link];
  const of = async (...above: Parameters<typeof layersOf>[0]) =>
    usageByLayer(new LayeredImage(await layersOf([base, ...above], scratchDir()))).map(
      ({ own, seen, hidden }) => [own, seen, hidden.whiteout, hidden.overwritten],
    );
  expect(await of([file("d/.wh.one", "")])).toEqual([
    [5, 5, 0, 0],
    [0, 0, 0, 0],
  ]);
  expect(await of([file("d/.wh.one", "")], [file("d/two", "x")])).toEqual([
    [5, 0, 0, 5],
    [0, 0, 0, 0],
    [1, 1, 0, 0],
  ]);
  expect(await of([{ name: "three", type: "1", link: "d/one" }, file(".wh.d", "")])).toEqual([
    [5, 5, 0, 0],
    [0, 0, 0, 0],
  ]);
});
