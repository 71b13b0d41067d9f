import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { blocksOf, ROOT } from "./page.ts";

/** `room/file` in a drawing of docs/architecture.md. */
const FILE = /(?<![\w/.-])([a-z]+(?:-[a-z]+)*)\/([a-z]+(?:-[a-z]+)*)(?![\w/-])/g;

const named = blocksOf("docs/architecture.md")
  .filter(({ language }) => language === "")
  .flatMap(({ lines }) => lines)
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
});
