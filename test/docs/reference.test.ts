import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type Manual, manPage, type Rows } from "./man-page.ts";
import { markdownReference } from "./markdown-reference.ts";
import { ROOT, textOf } from "./page.ts";
import { type Described, flatten, programs } from "./programs.ts";

const { version, man } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const PAGES = ["nydusd-ts(8)", "nydus-image-ts(1)", "nydusctl-ts(8)", "nydus-snapshotter-ts(8)"];

let all: readonly Described[];
beforeAll(async () => {
  all = await programs();
});

/** Tables of docs/interfaces.md, without marks of markdown. */
function rows(titles: readonly string[]): Rows[] {
  const sections = textOf("docs/interfaces.md").split(/^## /m);
  return titles.map((title) => {
    const lines = sections.find((each) => each.startsWith(`${title}\n`))?.split("\n") ?? [];
    const cells = lines
      .filter((line) => line.startsWith("| ") && !line.startsWith("|---"))
      .slice(1)
      .map((line) =>
        line
          .slice(2, -2)
          .replaceAll("`", "")
          .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
          .split(" | "),
      );
    return { title, items: cells.map((row) => ({ term: row[0] ?? "", about: row.at(-1) ?? "" })) };
  });
}

const INTERFACES = ["The ready line", "Exit statuses", "Environment variables", "Signals", "Files"];
const manual = (page: string): Manual => ({
  section: Number(page.at(-2)),
  version,
  rows: rows(page.startsWith("nydusd-ts(") ? INTERFACES : ["Exit statuses"]),
  seeAlso: PAGES.filter((each) => each !== page).map((each) => each.replaceAll("-", "\\-")),
});

const STALE = "stale: npm run docs writes it";

describe("the command reference", () => {
  it("is docs/commands.md", async () => {
    await expect(markdownReference(all), STALE).toMatchFileSnapshot(join(ROOT, "docs/commands.md"));
  });
  it.each(PAGES)("is the man page %s", async (page) => {
    const name = page.slice(0, -3);
    const program = all.find((each) => each.name === name) as Described;
    const file = `docs/man/${name}.${page.at(-2)}`;
    expect(man).toContain(file);
    await expect(manPage(program, manual(page)), STALE).toMatchFileSnapshot(join(ROOT, file));
  });
  it("has every command, and options with a meaning", () => {
    const commands = all.flatMap(flatten);
    expect(commands.length).toBeGreaterThan(30);
    const mute = commands.flatMap(({ name, options }) =>
      options.filter(({ about }) => about === "").map(({ term }) => `${name} ${term}`),
    );
    expect(mute).toEqual([]);
  });
});
