import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { withHousePicture } from "./house-picture.ts";
import { sourceFile, sourceFiles } from "./imports.ts";
import { layersOf, type RoomGraph, roomGraph, withoutShortCuts } from "./room-graph.ts";
import { roomsIn } from "./rooms-table.ts";

const PATH = fileURLToPath(new URL("../../docs/architecture.md", import.meta.url));
const document = readFileSync(PATH, "utf8");
const files = sourceFiles();

const graph = (arrows: Record<string, string[]>): RoomGraph =>
  new Map(Object.entries(arrows).map(([room, targets]) => [room, new Set(targets)]));

describe("the rooms", () => {
  it("have no arrow that runs back up: every import leads to a lower layer", () => {
    const layers = layersOf(roomGraph(files));
    const height = (room: string) => layers.findIndex((rooms) => rooms.includes(room));
    const arrows = [...roomGraph(files)].flatMap(([from, targets]) =>
      [...targets].map((to) => ({ from, to })),
    );
    expect(arrows.filter(({ from, to }) => height(from) <= height(to))).toEqual([]);
    expect(arrows.length).toBeGreaterThan(100);
    expect(layers.at(-1)).toEqual(["bin"]);
  });

  it("may not import each other in a circle by the table either", () =>
    expect(
      layersOf(new Map([...roomsIn(document)].map(([name, { mayImport }]) => [name, mayImport]))),
    ).not.toEqual([]));

  it("are drawn in docs/architecture.md as the imports are (npm run docs draws them anew)", async () =>
    await expect(withHousePicture(document, files)).toMatchFileSnapshot(PATH));
});

describe("layersOf", () => {
  const cases = [
    { name: "one over the other", of: { a: ["b"], b: ["c"], c: [] }, want: [["c"], ["b"], ["a"]] },
    { name: "the longest way counts", of: { a: ["b", "c"], b: ["c"], c: [] }, want: [["c"], ["b"], ["a"]] },
    { name: "side by side, sorted", of: { z: ["a"], y: ["a"], a: [] }, want: [["a"], ["y", "z"]] },
  ];
  it.each(cases)("$name", ({ of, want }) =>
    expect(layersOf(graph(of as Record<string, string[]>))).toEqual(want),
  );
  it("names a circle", () =>
    expect(() => layersOf(graph({ a: ["b"], b: ["c"], c: ["b"] }))).toThrow("in a circle: a -> b -> c -> b"));
});

describe("withoutShortCuts", () => {
  const cases = [
    {
      name: "keeps what is no short cut",
      of: { a: ["b", "c"], b: [], c: [] },
      want: { a: ["b", "c"], b: [], c: [] },
    },
    {
      name: "drops one step over another",
      of: { a: ["b", "c"], b: ["c"], c: [] },
      want: { a: ["b"], b: ["c"], c: [] },
    },
    {
      name: "drops one over two",
      of: { a: ["b", "d"], b: ["c"], c: ["d"], d: [] },
      want: { a: ["b"], b: ["c"], c: ["d"], d: [] },
    },
  ];
  it.each(cases)("$name", ({ of, want }) =>
    expect(withoutShortCuts(graph(of as Record<string, string[]>))).toEqual(
      graph(want as Record<string, string[]>),
    ),
  );
});

describe("withHousePicture", () => {
  const source = (path: string, imports: string[], lines: number) =>
    sourceFile(path, imports.map((to) => `import "${to}";\n`).join("") + "\n".repeat(lines - imports.length));
  const markers = (drawing: string) =>
    `before\n<!-- drawn from the imports: npm run docs -->\n${drawing}<!-- end of the drawing -->\nafter\n`;
  const drawing = (files: number, lines: number) =>
    `\`\`\`mermaid\nflowchart TD\n\n  top["top<br>${files} files, ${lines} lines"] --> low\n\n  low["low<br>1 files, 10 lines"]\n\`\`\`\n`;
  const house = (lines: number) => [
    source("src/top/a.ts", ["../low/c.ts", "../bytes/d.ts"], lines),
    source("src/top/b.ts", ["./a.ts"], 4),
    source("src/low/c.ts", ["../bytes/d.ts"], 10),
    source("src/bytes/d.ts", [], 5),
  ];

  const cases = [
    { name: "draws what is not there yet", lines: 1230, before: "", want: drawing(2, 1200) },
    {
      name: "leaves sizes that are about right",
      lines: 1230,
      before: drawing(2, 1000),
      want: drawing(2, 1000),
    },
    { name: "redraws sizes that are wrong", lines: 1330, before: drawing(2, 1000), want: drawing(2, 1300) },
    {
      name: "redraws arrows that are wrong",
      lines: 1230,
      before: drawing(2, 1200).replace(" --> low", ""),
      want: drawing(2, 1200),
    },
  ];
  it.each(cases)("$name", ({ lines, before, want }) =>
    expect(withHousePicture(markers(before), house(lines))).toBe(markers(want)),
  );
  it("wants its markers", () => expect(() => withHousePicture("", [])).toThrow("want the lines"));
});
