import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { formatFacts } from "../../src/daemon/facts.ts";
import { ROOT, textOf } from "../docs/page.ts";

/** All code that users run, each `${…}` as an ellipsis. */
const CODE = ["src", "bin"]
  .flatMap((dir) =>
    readdirSync(join(ROOT, dir), { recursive: true, encoding: "utf8" })
      .filter((path) => /\.(ts|mjs|sh)$/.test(path))
      .map((path) => readFileSync(join(ROOT, dir, path), "utf8")),
  )
  .join("\n");

/** Words shorter than that are in any program. */
const TELLING = 8;

/** First cells of the tables of a page, by section. */
const cells = (page: string): { section: string; cell: string }[] => {
  let section = "";
  return textOf(page)
    .split("\n")
    .flatMap((line) => {
      section = /^## (.*)$/.exec(line)?.[1] ?? section;
      const cell = /^\| (`.*?`[^|]*?) \|/.exec(line)?.[1];
      return cell === undefined ? [] : [{ section, cell }];
    });
};
const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = ""]) => text);

describe("docs/troubleshooting.md", () => {
  const said = cells("docs/troubleshooting.md").filter(
    ({ section }) => section !== "What programs inside see",
  );
  const messages = said.flatMap(({ cell }) => quoted(cell)).filter((text) => !text.startsWith("Transport "));
  it("has messages", () => expect(messages.length).toBeGreaterThan(40));
  it.each(messages)("`%s` is what the code says", (message) => {
    const parts = message.split(/…|; /).filter((part) => part.trim().length >= TELLING); // advice is apart
    expect(parts.filter((part) => !CODE.includes(part))).toEqual([]);
  });
});

describe("docs/interfaces.md", () => {
  const page = textOf("docs/interfaces.md");
  it("names every environment variable that the programs read", () => {
    const read = [...CODE.matchAll(/\benv\.([A-Z_]+)|\b(NYDUSD_TS_[A-Z]+)\b/g)].map(
      ([, a, b]) => a ?? b ?? "",
    );
    expect(read.length).toBeGreaterThan(10);
    expect([...new Set(read)].filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
  it("names the fields of the ready line, in their order", () => {
    const fields = cells("docs/interfaces.md")
      .filter(({ section }) => section === "The ready line")
      .flatMap(({ cell }) => quoted(cell));
    const facts = Object.fromEntries(fields.map((field) => [field, "x"]));
    const line = formatFacts({ ...facts, mountpoint: "x" }, 0);
    expect(fields).toEqual([...line.split(" ").map((pair) => pair.split("=")[0]), "pid", "log"]);
  });
});
