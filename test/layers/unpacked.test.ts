import { describe, expect, it } from "vitest";
import { LayeredImage } from "../../src/layers/layered-image.ts";
import { Random } from "../fuzz/random.ts";
import { compareStack } from "../unpackers/compare.ts";
import { RandomStack } from "../unpackers/random-stack.ts";
import { useUnpackers } from "../unpackers/use-unpackers.ts";
import { layersOf, linesAfter } from "./support.ts";

const STACKS = 60;

describe("versions of a random stack of layers", () => {
  const { dir, unpackers } = useUnpackers("versions");

  it(`are, after each layer, what containerd and umoci unpack of the layers up to it (${STACKS} stacks)`, async () => {
    let [agreed, ours] = [0, 0];
    for (let seed = 1; seed <= STACKS; seed++) {
      const stack = new RandomStack(new Random(seed)).layers();
      const states = [];
      for (let k = 1; k <= stack.length; k++)
        states.push(await compareStack(stack.slice(0, k), dir, unpackers()));
      if (states.some((state) => state.ours === undefined)) continue; // refused: there is no image
      const image = new LayeredImage(await layersOf(stack, dir));
      for (const [i, state] of states.entries()) {
        const found = linesAfter(image, i + 1);
        expect({ seed, layers: i + 1, found }).toEqual({ seed, layers: i + 1, found: state.ours });
        ours++;
        const { containerd, umoci } = state;
        if (containerd === undefined || containerd.join("\n") !== umoci?.join("\n")) continue;
        expect({ seed, layers: i + 1, found }).toEqual({ seed, layers: i + 1, found: containerd });
        agreed++;
      }
    }
    process.stdout.write(`${JSON.stringify({ ours, agreed })}\n`);
    expect(agreed).toBeGreaterThan(STACKS / 3);
  });
});
