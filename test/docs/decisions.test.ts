import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT, textOf } from "./page.ts";

const DIR = "docs/decisions";
const names = readdirSync(join(ROOT, DIR)).filter((name) => name !== "README.md");
const index = textOf(`${DIR}/README.md`)
  .split("\n")
  .filter((line) => line.startsWith("| ["));
const STATUS = /^- Status: (accepted|superseded (?:in part )?by \[\d{4}\]\((\d{4}-[\w-]+\.md)\).*)$/m;

describe("docs/decisions", () => {
  it("have a number each; one that was left out may be missing", () => {
    const numbers = names.map((name) => name.slice(0, 4));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.filter((number) => !/^\d{4}$/.test(number))).toEqual([]);
  });

  it.each(names)("%s has a title, a status, a date and a line in the index", (name) => {
    const text = textOf(`${DIR}/${name}`);
    const number = name.slice(0, 4);
    expect(text).toMatch(new RegExp(`^# ${number}: [A-Z].*\n\n- Status: .*\n- Date: `));
    const [, status, by] = STATUS.exec(text) ?? [];
    expect(status).toBeDefined();
    if (by !== undefined) expect(names.filter((each) => each === by && each > name)).toEqual([by]);
    const [, date] = /^- Date: (\d{4}-\d\d-\d\d)$/m.exec(text) ?? [];
    expect(date).toBeDefined();
    const [line] = index.filter((each) => each.startsWith(`| [${number}](${name}) | `));
    const word = status?.replace(/\[(\d{4})\].*/, "$1");
    expect(line).toMatch(new RegExp(`\\| ${word} \\| ${date} \\|$`));
  });

  it("no line of the index is about another one", () => expect(index.length).toBe(names.length));

  it("0001 has every package that is needed at run time", () => {
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const [, table = ""] = textOf(`${DIR}/0001-tooling.md`).split("## What is needed at run time");
    const rows = [...table.matchAll(/^\| (@?[a-z/-]+ [\d.]+.*?) \|/gm)].flatMap(([, cell = ""]) =>
      cell.split(", ").flatMap((each) => /^(@?[a-z/-]+) [\d.]+/.exec(each)?.[1] ?? []),
    );
    expect(rows.sort()).toEqual(Object.keys(dependencies).sort());
  });
});
