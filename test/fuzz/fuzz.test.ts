import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { often } from "../support/often.ts";
import type { Tally } from "./engine.ts";
import { TARGETS } from "./targets.ts";

const MAIN = fileURLToPath(new URL("../../dist/test/fuzz/main.js", import.meta.url));
const findings = mkdtempSync(join(tmpdir(), "nydusd-ts-findings-"));
afterAll(() => rmSync(findings, { recursive: true, force: true }));

/** The same inputs each time. Longer runs, with other seeds, are for `npm run fuzz`. */
const SEED = 20_251_125;
/** Of the inputs below. */
const PERCENT = often("NYDUSD_TS_FUZZ_PERCENT", 20, 100);

/** How many inputs each target is fed, and how many at least it has to take and to refuse: seconds each. */
const rows: [target: string, runs: number, accepted: number, refused: number, ...args: string[]][] = [
  ["bootstrap", 3000, 1000, 600, "--unguided"],
  ["tar", 600, 150, 150, "--unguided"],
  ["stack", 150, 40, 40, "--unguided"],
  ["layer", 400, 20, 200, "--unguided"],
  ["archive", 100, 3, 40, "--unguided"],
  ["frames", 3000, 1500, 50, "--unguided"],
  ["config", 3000, 150, 1000, "--unguided"],
  ["lists", 20_000, 2000, 2000], // guided: cheap enough here, and the guide is tried, too
  ["api", 1500, 30, 500, "--unguided"],
  ["nbd", 2000, 900, 400, "--unguided"],
];

describe("nothing that a stranger can send", () => {
  it("is left out", () => expect(rows.map(([target]) => target).sort()).toEqual([...TARGETS.keys()].sort()));

  it.each(rows)(`breaks %s (${PERCENT} % of %i inputs)`, (target, all, accepted, refused, ...args) => {
    const runs = (all * PERCENT) / 100;
    const dir = join(findings, target);
    mkdirSync(dir);
    const options = ["--runs", runs, "--seconds", 280, "--seed", SEED, "--findings", dir].map(String);
    const out = execFileSync(process.execPath, [MAIN, target, ...options, ...args], {
      encoding: "utf8",
      timeout: 290_000,
    });
    process.stdout.write(out);
    const tally: Tally = JSON.parse(out);
    expect(tally.runs).toBe(runs);
    expect(tally.accepted).toBeGreaterThan((accepted * PERCENT) / 100);
    expect(tally.refused).toBeGreaterThan((refused * PERCENT) / 100);
    expect(readdirSync(dir)).toEqual([]);
  });
});
