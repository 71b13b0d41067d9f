import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { pages, ROOT, textOf } from "./page.ts";

const ALL = [...pages(), "CHANGELOG.md", "SECURITY.md", "benches/README.md"];
const LINK = /\]\(([^)\s]+)\)/g;

/** As GitHub makes them: lower case, no punctuation, dashes for spaces. */
const anchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

const headingsOf = (page: string): string[] =>
  [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchor(heading));

/** Whether a link leads to a file that is here, and to a heading of it. */
function leadsSomewhere(page: string, target: string): boolean {
  if (/^https?:/.test(target)) return true;
  const [path = "", heading] = target.split("#");
  const file = path === "" ? page : join(dirname(page), path);
  return existsSync(join(ROOT, file)) && (heading === undefined || headingsOf(file).includes(heading));
}

it.each(ALL)("links of %s lead to files and headings that are there", (page) => {
  const targets = [...textOf(page).matchAll(LINK)].map(([, target = ""]) => target);
  expect(targets.filter((target) => !leadsSomewhere(page, target))).toEqual([]);
});

it("a link to a file or heading that is missing is reported", () => {
  expect(leadsSomewhere("README.md", "docs/no-such-page.md")).toBe(false);
  expect(leadsSomewhere("README.md", "docs/testing.md#no-such-heading")).toBe(false);
  expect(leadsSomewhere("docs/start.md", "testing.md#fuzzing")).toBe(true);
});

describe("pages are found", () => {
  const linked = (from: string) =>
    [...textOf(from).matchAll(LINK)].map(([, target = ""]) =>
      join(dirname(from), target.split("#")[0] ?? ""),
    );

  it("from docs/README.md, each of docs/", () => {
    const index = new Set(linked("docs/README.md"));
    const own = pages().filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
    expect(own.filter((page) => !index.has(page) && !page.startsWith("docs/decisions/0"))).toEqual([]);
  });
  it("from README.md, which is one page", () => {
    expect(linked("README.md")).toContain("docs/README.md");
    expect(textOf("README.md").split("\n").length).toBeLessThan(120);
  });
});
