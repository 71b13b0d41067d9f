import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { describe, expect, it } from "vitest";
import { roomFolders, roomOf, type SourceFile, sourceFile, sourceFiles } from "./imports.ts";
import { roomGraph } from "./room-graph.ts";
import { freeBuiltins, type Room, roomsIn } from "./rooms-table.ts";

const DOCUMENT = readFileSync(new URL("../../docs/architecture.md", import.meta.url), "utf8");
const rooms = roomsIn(DOCUMENT);
const free = freeBuiltins(DOCUMENT);
const files = sourceFiles();

const COMPUTED = /\bimport\s*\((?!\s*")|\brequire\b/;

/** Why the tables of docs/architecture.md do not allow an import; undefined when they do. */
function objection(from: SourceFile, specifier: string): string | undefined {
  const { name, mayImport, npm, node } = rooms.get(from.room) as Room;
  const to = roomOf(from, specifier);
  if (to !== undefined)
    return to === name || mayImport.has(to) ? undefined : `may import does not list ${to}`;
  if (isBuiltin(specifier)) {
    if (!specifier.startsWith("node:")) return "builtins are written node:…";
    const builtin = specifier.slice("node:".length).split("/", 1)[0] ?? "";
    if (free.has(builtin)) return undefined;
    const only = node.get(builtin);
    if (only?.has(from.name.slice(name.length + 1)) || (only === undefined && node.has(builtin)))
      return undefined;
    return `node does not list ${builtin}${only === undefined ? "" : " for this file"}`;
  }
  const parts = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  return npm.has(parts) ? undefined : `npm does not list ${parts}`;
}

/** Every import that the tables do not allow, and why. */
const wrong = (of: readonly SourceFile[]): string[] =>
  of.flatMap((from) =>
    from.imports.flatMap((specifier) => {
      const why = objection(from, specifier);
      return why === undefined ? [] : [`${from.name} -> ${specifier}: row \`${from.room}\`: ${why}`];
    }),
  );

describe("rooms", () => {
  it("have a row each in docs/architecture.md, and each row has a folder", () => {
    expect([...rooms.keys()].sort()).toEqual(roomFolders().sort());
    expect(rooms.size).toBeGreaterThanOrEqual(30);
    expect(free.size).toBe(11);
  });

  it("hold every file, and imports are found in them", () => {
    expect(files.filter(({ room }) => !rooms.has(room)).map(({ path }) => path)).toEqual([]);
    expect(files.length).toBeGreaterThan(300);
    expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(1200);
  });

  it("import only what docs/architecture.md allows", () => expect(wrong(files)).toEqual([]));

  it("import each room that docs/architecture.md lists for them", () => {
    const graph = roomGraph(files);
    const unused = [...rooms.values()].flatMap(({ name, mayImport }) =>
      [...mayImport]
        .filter((to) => !graph.get(name)?.has(to))
        .map((to) => `row \`${name}\`: nothing imports ${to}`),
    );
    expect(unused).toEqual([]);
  });

  it("import each package and builtin that docs/architecture.md lists for them", () => {
    const imported = new Set(files.flatMap(({ room, imports }) => imports.map((to) => `${room} ${to}`)));
    const isUsed = (room: string, what: string) =>
      [...imported].some((each) => each === `${room} ${what}` || each.startsWith(`${room} ${what}/`));
    const unused = [...rooms.values()].flatMap(({ name, npm, node }) =>
      [...npm, ...[...node.keys()].map((builtin) => `node:${builtin}`)]
        .filter((what) => !isUsed(name, what))
        .map((what) => `row \`${name}\`: nothing imports ${what}`),
    );
    expect(unused).toEqual([]);
  });

  it("import by literal names only", () =>
    expect(files.filter(({ text }) => COMPUTED.test(text)).map(({ name }) => name)).toEqual([]));
});

describe("an import that docs/architecture.md does not allow is found", () => {
  const cases = [
    {
      path: "src/erofs/image.ts",
      text: 'import type { Op } from "../fuse/ops.ts";',
      want: "../fuse/ops.ts: row `erofs`: may import does not list fuse",
    },
    {
      path: "src/bytes/u64.ts",
      text: 'export * from "../vfs/data-order.ts";',
      want: "../vfs/data-order.ts: row `bytes`: may import does not list vfs",
    },
    {
      path: "src/fs/deep/er.ts",
      text: 'import "../../daemon/run.ts";',
      want: "../../daemon/run.ts: row `fs`: may import does not list daemon",
    },
    {
      path: "src/fuse/ops.ts",
      text: 'import {\n  a,\n} from "../erofs/image.ts";',
      want: "../erofs/image.ts: row `fuse`: may import does not list erofs",
    },
    {
      path: "src/fuse/ops.ts",
      text: 'await import("../fs/xattrs.ts")',
      want: "../fs/xattrs.ts: row `fuse`: may import does not list fs",
    },
    {
      path: "src/fuse/ops.ts",
      text: 'new URL("../session/worker.js", x)',
      want: "../session/worker.js: row `fuse`: may import does not list session",
    },
    {
      path: "src/daemon/run.ts",
      text: 'import "../../bin/options.ts";',
      want: "../../bin/options.ts: row `daemon`: may import does not list bin",
    },
    {
      path: "src/daemon/run.ts",
      text: 'import "../../test/support/tree.ts";',
      want: "../../test/support/tree.ts: row `daemon`: may import does not list test",
    },
    {
      path: "bin/start.ts",
      text: 'import "../src/fuse/ops.ts";',
      want: "../src/fuse/ops.ts: row `bin`: may import does not list fuse",
    },
    {
      path: "src/erofs/image.ts",
      text: 'import { x } from "node:fs/promises";',
      want: "node:fs/promises: row `erofs`: node does not list fs for this file",
    },
    {
      path: "src/vfs/data-order.ts",
      text: 'import { x } from "node:fs";',
      want: "node:fs: row `vfs`: node does not list fs",
    },
    {
      path: "src/fs/xattrs.ts",
      text: 'import "node:child_process";',
      want: "node:child_process: row `fs`: node does not list child_process",
    },
    // createRequire would hide imports from this test
    {
      path: "src/daemon/run.ts",
      text: 'import "node:module";',
      want: "node:module: row `daemon`: node does not list module",
    },
    { path: "src/blob/locate.ts", text: 'import "fs";', want: "fs: row `blob`: builtins are written node:…" },
    {
      path: "src/fs/xattrs.ts",
      text: 'import { z } from "zod/v4";',
      want: "zod/v4: row `fs`: npm does not list zod",
    },
    {
      path: "src/daemon/run.ts",
      text: 'import "@scope/pack/x";',
      want: "@scope/pack/x: row `daemon`: npm does not list @scope/pack",
    },
  ];
  it.each(cases)("$path -> $want", ({ path, text, want }) => {
    const from = sourceFile(path, text);
    expect(wrong([from])).toEqual([`${from.name} -> ${want}`]);
  });

  it("also where its name is computed", () => {
    expect(COMPUTED.test("await import(path)")).toBe(true);
    expect(COMPUTED.test('createRequire(import.meta.url)("fs"); require("x")')).toBe(true);
    expect(COMPUTED.test('await import("./native.ts")')).toBe(false);
  });
});

describe("a table that is wrong is refused", () => {
  const row = "| `trace` | what was read first, and how that is written down | bytes |";
  const outside = "| `trace` | – | fs (summary) |";
  const cases = [
    {
      name: "a room that is none",
      from: row,
      to: row.replace("bytes", "bites"),
      want: 'row `trace`: "may import" names bites, which is no other room of the table',
    },
    {
      name: "a room that imports itself",
      from: row,
      to: row.replace("bytes", "trace"),
      want: 'row `trace`: "may import" names trace, which',
    },
    { name: "two rows", from: row, to: `${row} x |\n${row}`, want: "row `trace`: has two rows in one table" },
    { name: "a cell too few", from: row, to: "| `trace` | bytes |", want: "not a row of" },
    { name: "a name without quotes", from: row, to: row.replace("`trace`", "trace"), want: "not a row of" },
    {
      name: "no table",
      from: "| room | what it knows |",
      to: "| rooms | what it knows |",
      want: 'there is no table "| room | what it knows |',
    },
    {
      name: "npm and node of a room that is none",
      from: outside,
      to: outside.replace("trace", "trance"),
      want: 'row `trance`: has a row in "room | npm | node" alone',
    },
  ];
  it.each(cases)("$name", ({ from, to, want }) => {
    expect(DOCUMENT).toContain(from);
    expect(() => roomsIn(DOCUMENT.replace(from, to))).toThrow(want);
  });
});
