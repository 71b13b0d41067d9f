import { describe, expect, it } from "vitest";
import { Random } from "../fuzz/random.ts";
import type { Made } from "../mkfs/emit.ts";
import { type Compared, compareStack } from "./compare.ts";
import { RandomStack } from "./random-stack.ts";
import { useUnpackers } from "./use-unpackers.ts";

/** `npm run stacks` has more, and can have others. */
const STACKS = Number(process.env["NYDUSD_TS_STACKS"] ?? 200);
const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? 1);

const written = (stack: readonly Made[][]) =>
  stack.map((layer) => layer.map(({ name, type = "0", link = "" }) => `${type} ${name} ${link}`.trimEnd()));

type Agreement = "agree" | "differ" | "one refuses" | "both refuse";

function agreementOf({ containerd, umoci }: Compared): Agreement {
  if (containerd === undefined && umoci === undefined) return "both refuse";
  if (containerd === undefined || umoci === undefined) return "one refuses";
  return containerd.join("\n") === umoci.join("\n") ? "agree" : "differ";
}

describe("a random stack of layers", () => {
  const { dir, unpackers } = useUnpackers("stacks");

  it(`is what containerd and umoci make of it, where those agree (${STACKS} stacks)`, async () => {
    const counts: Record<Agreement, number> = { agree: 0, differ: 0, "one refuses": 0, "both refuse": 0 };
    for (let seed = SEED; seed < SEED + STACKS; seed++) {
      const stack = new RandomStack(new Random(seed)).layers();
      const compared = await compareStack(stack, dir, unpackers());
      const { containerd, ours, refusals } = compared;
      const agreement = agreementOf(compared);
      counts[agreement]++;
      const tree = ours ?? refusals;
      if (agreement === "agree")
        expect({ seed, stack: written(stack), tree }).toEqual({
          seed,
          stack: written(stack),
          tree: containerd,
        });
    }
    process.stdout.write(`${JSON.stringify(counts)}\n`);
    expect(counts.agree).toBeGreaterThan(STACKS / 5);
  });
});
