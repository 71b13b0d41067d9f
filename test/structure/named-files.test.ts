import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { blocksOf, pages, ROOT, textOf } from "../docs/page.ts";

/** `room/file` in a drawing of docs/architecture.md. */
const FILE = /(?<![\w/.-])([a-z]+(?:-[a-z]+)*)\/([a-z]+(?:-[a-z]+)*)(?![\w/-])/g;

/** What a line of a walk calls, and where that is. */
const CALL = /^(?:\S+ {2,}| +)?([A-Za-z]\w+) +([a-z]+(?:-[a-z]+)*)\/([a-z]+(?:-[a-z]+)*)(?![\w/-])/;

const lines = blocksOf("docs/architecture.md")
  .filter(({ language }) => language === "")
  .flatMap((block) => block.lines);
const named = lines
  .flatMap((line) => [...line.matchAll(FILE)])
  .filter(([, room = ""]) => existsSync(join(ROOT, "src", room)));

describe("the walks of docs/architecture.md", () => {
  it("name files", () => expect(named.length).toBeGreaterThan(25));
  it("go through files that are there", () => {
    const lost = named.filter(
      ([, room = "", file = ""]) => !existsSync(join(ROOT, "src", room, `${file}.ts`)),
    );
    expect(lost.map(([path]) => path)).toEqual([]);
  });
  it("name what is in those files", () => {
    const calls = lines.flatMap((line) => {
      const [, name = "", room = "", file = ""] = CALL.exec(line) ?? [];
      return existsSync(join(ROOT, "src", room, `${file}.ts`))
        ? [{ name, path: `src/${room}/${file}.ts` }]
        : [];
    });
    expect(calls.length).toBeGreaterThan(20);
    const lost = calls.filter(({ name, path }) => !new RegExp(`\\b${name}\\b`).test(textOf(path)));
    expect(lost).toEqual([]);
  });
});

describe("files that pages name in code", () => {
  /** `src/fs/walk.ts`, `src/fs`, `test/tar/refused`; in docs/testing.md `faults/moved`. */
  const PATH = /`((?:src|test|bin|benches|docs)\/[\w@./-]+|[a-z-]+\/[a-z-]+)`/g;
  const isThere = (path: string) =>
    ["", ".ts", ".test.ts"].some((end) => existsSync(join(ROOT, `${path}${end}`)));
  const isFile = (page: string, path: string) =>
    isThere(path) ||
    ((page === "docs/testing.md" || page === "docs/security.md") && isThere(join("test", path)));
  const isPath = (page: string, path: string) =>
    /^(src|test|bin|benches|docs)\//.test(path) ||
    (page === "docs/testing.md" && existsSync(join(ROOT, "test", path.split("/")[0] ?? "")));

  it.each(pages())("%s", (page) => {
    const paths = [...textOf(page).matchAll(PATH)].map(([, path = ""]) => path);
    expect(paths.filter((path) => isPath(page, path) && !isFile(page, path))).toEqual([]);
  });
  it("many are named", () => {
    const count = pages().flatMap((page) => [...textOf(page).matchAll(PATH)]).length;
    expect(count).toBeGreaterThan(100);
  });
});
