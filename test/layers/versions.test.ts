import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LayeredImage } from "../../src/layers/layered-image.ts";
import type { Made } from "../mkfs/emit.ts";
import { dir, file } from "../mkfs/support.ts";
import { scratchDir } from "../support/image.ts";
import { naiveVersions, type NaiveVersion } from "./naive-model.ts";
import { entriesOf, layer } from "./random-layer.ts";
import { layersOf } from "./support.ts";

const RUNS = 100;
function versionsOf(image: LayeredImage): NaiveVersion[] {
  const { versions } = image;
  const text = (path: Uint8Array) => Buffer.from(path).toString();
  const nodes = new Set(
    [...versions.node.subarray(0, versions.count).keys()]
      .filter((version) => versions.isVersion(version))
      .map((version) => versions.node[version]),
  );
  return [...nodes].flatMap((node) =>
    image
      .of(node)
      .map(
        ({ layer: of, fate, by }): NaiveVersion => [
          text(image.path(node)),
          of,
          fate,
          by?.layer ?? 0,
          by === undefined ? "" : text(by.path),
        ],
      ),
  );
}

const sorted = (versions: readonly NaiveVersion[]) => versions.map((one) => one.join(" ")).sort();

async function imageOf(stack: readonly (readonly Made[])[]): Promise<LayeredImage> {
  return new LayeredImage(await layersOf(stack, scratchDir()));
}

describe("versions of every name", () => {
  it(`are those of a plain model, whatever the layers (${RUNS} stacks)`, async () => {
    const fates = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), async (layers) => {
        const stack = layers.map((what) => entriesOf(what));
        const found = versionsOf(await imageOf(stack));
        for (const [, , fate] of found) fates.add(fate);
        expect(sorted(found)).toEqual(sorted(naiveVersions(stack)));
      }),
      { numRuns: RUNS, seed: 20 },
    );
    expect([...fates].sort()).toEqual([
      "attributes",
      "opaque",
      "overwritten",
      "replaced",
      "seen",
      "whiteout",
    ]);
  });

  it("say which marker took how much away, and which says nothing", async () => {
    const image = await imageOf([
      [dir("d/"), file("d/x"), file("d/y")],
      [file("d/.wh.x", ""), file("d/.wh.z", ""), file(".wh.nowhere", "")],
      [file("d/.wh..wh..opq", ""), file("d/new")],
    ]);
    const said = image.versions.markers.map(({ layer: of, kind, hides }) => [of, kind, hides]);
    expect(said.sort()).toEqual([
      [2, "whiteout", 0],
      [2, "whiteout", 0],
      [2, "whiteout", 1],
      [3, "opaque", 1],
    ]);
  });

  it("of what one layer says twice are what it says last", async () => {
    const image = await imageOf([
      [file("a", "first")],
      [file("a", "second"), file("a", "third!"), dir("d/"), file("d/x"), file("d")],
    ]);
    const of = (name: string) => {
      const node = image.find(name.split("/").map((one) => Buffer.from(one)));
      return node === undefined ? [] : image.of(node);
    };
    expect(of("a").map(({ layer: by, size, fate }) => [by, size, fate])).toEqual([
      [2, 6, "seen"],
      [1, 5, "overwritten"],
    ]);
    expect(of("d").map(({ mode }) => (mode & 0o170_000).toString(8))).toEqual(["100000"]);
    expect(of("d/x")).toEqual([]);
  });
});
