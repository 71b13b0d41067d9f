import { describe, expect, it } from "vitest";
import { ABSENT } from "../support/kernel.ts";
import { needs } from "../support/needs.ts";
import { isAlike, masked } from "./compare.ts";
import { type Block, blocksOf, NOT_RUN, pages, type Step, stepsOf, textOf } from "./page.ts";
import { type } from "./terminal.ts";

/** How many commands are run: raise it as pages grow, never lower it. */
const STEPS_AT_LEAST = 90;
/** Blocks that need systemd, an installation, other people's images or an hour: no more of them than that. */
const NOT_RUN_AT_MOST = 8;
const LANGUAGES = new Set(["console", "sh", "bash", "shell"]);
/** Info string of the block that makes what the examples of all other pages use. */
const SETUP = "setup";

const blocks = pages().flatMap((page) => blocksOf(page));
const commands = blocks.filter(({ language }) => LANGUAGES.has(language));
const ran = commands.filter(({ words }) => !words.includes(NOT_RUN));
const setup = ran.filter(({ words }) => words.includes(SETUP));
const stepsIn = (page: string): Step[] => ran.filter((block) => block.page === page).flatMap(stepsOf);

const at = ({ page, line }: Block | Step) => `${page}:${line}`;

describe("command blocks of the documentation", () => {
  it("say what they print (console), or why not (console not-run)", () => {
    const silent = ran.filter(({ language, lines }) => language !== "console" || !lines[0]?.startsWith("$ "));
    expect(silent.map(at)).toEqual([]);
  });
  it("are fenced", () => {
    const indented = pages().flatMap((page) =>
      textOf(page)
        .split("\n")
        .filter((line) => /^ {4}(?:\$|node|npm|npx|nydus[\w-]+|sudo|curl) /.test(line)),
    );
    expect(indented).toEqual([]);
  });
  it("are run, most of them", () => {
    expect(ran.flatMap(stepsOf).length).toBeGreaterThanOrEqual(STEPS_AT_LEAST);
    expect(commands.length - ran.length).toBeLessThanOrEqual(NOT_RUN_AT_MOST);
    expect(setup.length).toBe(1);
  });
});

describe("command blocks of", () => {
  needs(process.getuid?.() === 0 ? ABSENT["erofs-file"] : "mounting takes root");
  const used = [...new Set(ran.map(({ page }) => page))];
  it.concurrent.each(used)("%s print what they say there", async (page) => {
    const before = setup[0]?.page === page ? [] : setup.flatMap(stepsOf);
    const steps = stepsIn(page);
    const shown = await type(before, steps);
    for (const [i, step] of steps.entries()) {
      const { output, status } = shown[i] ?? { output: [], status: -1 };
      const isGood = status === 0 || step.output.some((line) => /^(Error|error)/.test(line));
      if (isGood && isAlike(output, step.output)) continue;
      const name = `${at(step)}: ${step.command} (status ${status})`;
      expect([name, ...output.map(masked)]).toEqual([name, ...step.output.map(masked)]);
      expect.fail(`${name}: failed, and nothing on the page says so`);
    }
  });
});

describe("the comparison", () => {
  it.each([
    { printed: ["ready ms=301"], wanted: ["ready ms=17"], want: true },
    { printed: ["blob 0x5000 of 12.5 MiB"], wanted: ["blob 0x1 of 3 MiB"], want: true },
    { printed: ["a   1"], wanted: ["a 2"], want: true },
    { printed: ["a", "b", "c"], wanted: ["a", "…", "c"], want: true },
    { printed: ["a", "c"], wanted: ["a", "…", "c"], want: true },
    { printed: ["driver=erofs ms=1"], wanted: ["driver=… ms=2"], want: true },
    { printed: ["a", "b"], wanted: ["a"], want: false },
    { printed: [], wanted: ["a"], want: false },
    { printed: ["Error: busy"], wanted: ["Error: gone"], want: false },
    { printed: ["/x/0123456789abcdef.boot"], wanted: ["/x/012345….boot"], want: true },
    { printed: ["a+b"], wanted: ["aab"], want: false },
  ])("$printed against $wanted is $want", ({ printed, wanted, want }) =>
    expect(isAlike(printed, wanted)).toBe(want),
  );
});
