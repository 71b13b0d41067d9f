import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { Finding, fuzz } from "./engine.ts";
import type { Guard } from "./guard.ts";
import { must, type Target } from "./target.ts";

const GUARD = fileURLToPath(new URL("../../dist/test/fuzz/guard.js", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-guard-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** [MiB, ms, what is done with the input at hand] */
it.each([
  ["hang", 4096, 300, "for (;;);"],
  ["memory", 1, 60_000, "await new Promise((resolve) => setTimeout(resolve, 60_000));"],
])("a %s ends the process, and leaves its input behind", (what, memory, patience, body) => {
  const scratch = join(dir, "scratch");
  mkdirSync(join(scratch, "deep"), { recursive: true });
  const script = `import { Guard } from ${JSON.stringify(GUARD)};
    const guard = await Guard.start(16, ${JSON.stringify({ dir, scratch, memory, patienceMs: patience })});
    guard.hold(Uint8Array.of(9, 9, 9, 9)); guard.release(); guard.hold(Uint8Array.of(1, 2, 3)); ${body}`;
  const args = ["--input-type=module", "--eval", script];
  const { signal, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 50_000 });
  expect([signal, JSON.parse(stderr).finding.split(" ")[0]]).toEqual(["SIGKILL", what]);
  const [name] = readdirSync(dir).filter((each) => each.startsWith(what));
  expect([...readFileSync(join(dir, name))]).toEqual([1, 2, 3]);
  expect(existsSync(scratch)).toBe(false);
});

it("what breaks an invariant is told with its input", async () => {
  const idle = { hold: () => {}, release: () => {} } as unknown as Guard;
  const target: Target = {
    ...{ seeds: [new Uint8Array(4)], longest: 16, memory: 256 },
    mutate: (input, _, random) => input.map((byte) => (random.once(2) ? random.below(8) : byte)),
    run: (input) => {
      must(input[0] !== 7 || input[1] !== 5, () => "seven and five");
      return "accepted";
    },
  };
  const found = await fuzz(target, idle, { seed: 1, runs: 10_000, ms: 60_000, isGuided: false }).catch(
    (e) => e,
  );
  expect(found).toBeInstanceOf(Finding);
  expect([...found.input].slice(0, 2)).toEqual([7, 5]);
  expect(found.message).toContain("seven and five");
});
