import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { queryOf } from "../../src/find/query.ts";
import { Rows } from "../../src/find/rows.ts";
import { select } from "../../src/find/select.ts";
import { LayeredImage } from "../../src/layers/layered-image.ts";
import { ROOT } from "../../src/mkfs/tree.ts";
import { naiveVersions } from "../layers/naive-model.ts";
import { entriesOf, layer } from "../layers/random-layer.ts";
import { layersOf } from "../layers/support.ts";
import { tarOf } from "../mkfs/emit.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { type Both, gnuFind, question, tree } from "./oracle.ts";

const TREES = 8;
const QUESTIONS = 40;
const NOW = 1_700_000_000;

const givenOf = (both: readonly Both[]) => {
  const given = new Map<string, string[]>();
  for (const [option, value] of both) given.set(option, [...(given.get(option) ?? []), value]);
  return given;
};
function pathsOf(rows: Rows, given: ReadonlyMap<string, readonly string[]>): string[] {
  const { scope, predicates } = queryOf(given, NOW);
  return [...select(rows, scope, predicates, ROOT)].map((row) =>
    Buffer.from(rows.path(row)).toString("latin1"),
  );
}

it(`finds what GNU find finds in the unpacked tree (${TREES} trees, ${QUESTIONS} questions each)`, async () => {
  await fc.assert(
    fc.asyncProperty(
      tree,
      fc.array(question, { minLength: QUESTIONS, maxLength: QUESTIONS }),
      async (entries, asked) => {
        const dir = scratchDir();
        const [root, tar] = [join(dir, "root"), join(dir, "t.tar")];
        mkdirSync(root);
        writeFileSync(tar, tarOf(entries));
        sh(`tar -C "$R" --same-owner --numeric-owner -pxf "$T"`, { R: root, T: tar });
        const rows = new Rows(new LayeredImage(await layersOf([entries], dir)));
        for (const both of asked) {
          const found = pathsOf(rows, givenOf(both)).filter((path) => path !== "/");
          const gnu = gnuFind(
            root,
            both.flatMap(([, , words]) => words),
          );
          expect([both, found.sort()]).toEqual([both, gnu]);
        }
      },
    ),
    { numRuns: TREES, seed: 20, endOnFailure: true },
  );
});

const STACKS = 40;
it(`what is hidden, and the markers, are those of a plain model (${STACKS} stacks)`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), async (layers) => {
      const stack = layers.map((what) => entriesOf(what));
      const rows = new Rows(new LayeredImage(await layersOf(stack, scratchDir())));
      const model = naiveVersions(stack);
      const of = (fates: readonly string[]) =>
        model
          .filter(([, , fate]) => fates.includes(fate))
          .map(([path]) => path)
          .sort();
      const hidden = (value: string) => pathsOf(rows, new Map([["--hidden", [value]]])).sort();
      for (const fate of ["overwritten", "whiteout", "opaque", "replaced", "attributes"])
        expect([fate, hidden(fate)]).toEqual([fate, of([fate])]);
      expect(hidden("")).toEqual(of(["overwritten", "whiteout", "opaque", "replaced"]));
      expect(hidden("!opaque")).toEqual(of(["overwritten", "whiteout", "replaced"]));
      expect(pathsOf(rows, new Map()).sort()).toEqual(of(["seen"]));
      for (const number of stack.keys()) {
        const named = model
          .filter(([, at, fate]) => at === number + 1 && fate === "seen")
          .map(([path]) => path);
        expect(pathsOf(rows, new Map([["--layer", [`${number + 1}`]]])).sort()).toEqual(named.sort());
      }
      const markers = stack.flat().flatMap(({ name }) => (/(^|\/)\.wh\./.test(name) ? [`/${name}`] : []));
      expect(pathsOf(rows, new Map([["--marker", [""]]])).sort()).toEqual(markers.sort());
      const ended = new Set(
        model
          .filter(([, , fate]) => fate === "whiteout" || fate === "opaque")
          .map(([, , , at, by]) => `${at} ${by}`),
      );
      const idle = stack.flatMap((entries, i) =>
        entries.flatMap(({ name }) =>
          /(^|\/)\.wh\./.test(name) && !ended.has(`${i + 1} /${name}`) ? [`/${name}`] : [],
        ),
      );
      expect(pathsOf(rows, new Map([["--marker", ["idle"]]])).sort()).toEqual(idle.sort());
    }),
    { numRuns: STACKS, seed: 20 },
  );
});

const dirAt = (name: string) => ({ name, type: "5" });

it("a hidden version is as it was last: names that it had, and what was in it", async () => {
  const base = [
    dirAt("d/"),
    dirAt("e/"),
    { name: "d/one", data: "x" },
    { name: "two", type: "1", link: "d/one" },
  ];
  const rows = new Rows(
    new LayeredImage(
      await layersOf([base, [{ name: ".wh.two" }], [{ name: ".wh.d" }, { name: ".wh.e" }]], scratchDir()),
    ),
  );
  const hidden = (...given: [string, string][]) =>
    pathsOf(rows, new Map([["--hidden", [""]], ...given.map(([o, v]) => [o, [v]] as const)]));
  expect(hidden(["--links", "2"], ["--type", "f"])).toEqual(["/two"]);
  expect(hidden(["--links", "1"])).toEqual(["/d/one"]);
  expect(hidden(["--empty", ""])).toEqual(["/e"]);
  expect(() => hidden(["--dangling", ""])).toThrow("--dangling has no meaning with --hidden");
});

it("the names of an inode are counted once, however many there are", async () => {
  const links = Array.from({ length: 20_000 }, (_, i) => ({ name: `l${i}`, type: "1", link: "f" }));
  const image = new LayeredImage(await layersOf([[{ name: "f", data: "x" }, ...links]], scratchDir()));
  const rows = new Rows(image);
  const asked = vi.spyOn(image.versions, "isVersion");
  const layer = vi.spyOn(rows, "layer");
  expect(pathsOf(rows, new Map([["--links", ["20001"]]]))).toHaveLength(20_001);
  expect(asked.mock.calls.length + layer.mock.calls.length).toBeLessThan(200_000);
});

it("markers of a directory are in the order of their names, the upper one first", async () => {
  const layers = [
    [{ name: "d/", type: "5" }, ...["e", "em", "g"].map((name) => ({ name: `d/${name}` }))],
    [{ name: "d/.wh.g" }, { name: "d/.wh.e" }],
    [{ name: "d/.wh.em" }, { name: "d/.wh.e" }],
  ];
  const rows = new Rows(new LayeredImage(await layersOf(layers, scratchDir())));
  const { scope, predicates } = queryOf(new Map([["--marker", [""]]]), NOW);
  const found = [...select(rows, scope, predicates, ROOT)];
  expect(found.map((row) => `${rows.layer(row)} ${Buffer.from(rows.path(row))}`)).toEqual([
    ...["3 /d/.wh.e", "2 /d/.wh.e", "3 /d/.wh.em", "2 /d/.wh.g"],
  ]);
});

it("commas divide values, but not in sets and behind a backslash", async () => {
  const names = ["com,ma", "com\\", "ma", "a", "b"];
  const rows = new Rows(new LayeredImage(await layersOf([names.map((name) => ({ name }))], scratchDir())));
  const found = (value: string) => pathsOf(rows, new Map([["--name", [value]]]));
  expect([found("com[,]ma"), found("com[[:punct:],]ma,a"), found("com\\,ma")]).toEqual([
    ...[["/com,ma"], ["/a", "/com,ma"], ["/com,ma"]],
  ]);
  expect([found("com\\\\,ma"), found("[,b")]).toEqual([["/com\\", "/ma"], ["/b"]]);
});

it("a symlink leads from the image's root, however far up it goes, and in a circle to nothing", async () => {
  const link = (name: string, to: string) => ({ name, type: "2", link: to });
  const entries = [
    ...[dirAt("d/"), { name: "d/f", data: "x" }],
    ...[
      link("ok1", "/d/f"),
      link("ok2", "../../d/f"),
      link("d/ok3", "../../ok1"),
      link("ok4", "/d/"),
      link("ok5", "//d//."),
    ],
    ...[
      link("no1", "/d/g"),
      link("no2", "no2"),
      link("no3", "/d/f/"),
      link("no4", "/d/f/."),
      link("no5", "no1/.."),
    ],
  ];
  const rows = new Rows(new LayeredImage(await layersOf([entries], scratchDir())));
  expect(pathsOf(rows, new Map([["--dangling", [""]]]))).toEqual(["/no1", "/no2", "/no3", "/no4", "/no5"]);
});

it("comes directory by directory, names as bytes are", async () => {
  const entries = [
    dirAt("b/"),
    { name: "b/z" },
    { name: "b-c" },
    dirAt("a/"),
    { name: "a/y" },
    { name: "\xff" },
    { name: "\xe9\xff" },
  ];
  const rows = new Rows(new LayeredImage(await layersOf([entries], scratchDir())));
  expect(pathsOf(rows, new Map())).toEqual(["/", "/a", "/a/y", "/b", "/b/z", "/b-c", "/\xe9\xff", "/\xff"]);
});

it("a byte that is no UTF-8 is a character, beside others that are UTF-8", async () => {
  const names = ["\xff\xe9", "\xff\xc3\xa9", "\xc3\xa9"];
  const rows = new Rows(new LayeredImage(await layersOf([names.map((name) => ({ name }))], scratchDir())));
  const named = (glob: string) =>
    pathsOf(
      rows,
      new Map([
        ["--name", [glob]],
        ["--type", ["f"]],
      ]),
    );
  expect(named("??")).toEqual(["/\xff\xc3\xa9", "/\xff\xe9"]);
  expect(named("?")).toEqual(["/\xc3\xa9"]);
  expect(named("?é")).toEqual(["/\xff\xc3\xa9"]);
  expect(named("\udcff*")).toHaveLength(2);
  expect(named("[!é]*")).toHaveLength(2);
});

it("days are whole ones before now", async () => {
  const entries = [-0.5, 0.5, 1.5, 8].map((days) => ({ name: `${days}`, mtime: NOW - 86_400 * days }));
  const rows = new Rows(new LayeredImage(await layersOf([entries], scratchDir())));
  const found = (value: string) =>
    pathsOf(
      rows,
      new Map([
        ["--mtime", [value]],
        ["--type", ["f"]],
      ]),
    );
  expect([found("-1"), found("0"), found("1"), found("+7"), found("!-2")]).toEqual([
    ...[["/-0.5", "/0.5"], ["/0.5"], ["/1.5"], ["/8"], ["/8"]],
  ]);
});

it.each([
  ["--size", "12Q"],
  ["--size", "M"],
  ["--type", "f,x"],
  ["--perm", "u+s"],
  ["--perm", "888"],
  ["--uid", "root"],
  ["--newer", "yesterday"],
  ["--newer", "2026-13-01"],
  ["--newer", "2026-02-30"],
  ["--newer", "2026-04-31T10:00+02:00"],
  ["--mtime", "1.5"],
  ["--links", ""],
  ["--name", "[[:nope:]]"],
  ["--regex", "("],
  ["--regex", ")("],
  ["--layer", "0"],
  ["--layer", "1..2"],
  ["--in-tar", "12"],
  ["--cap", "fly"],
  ["--hidden", "seen"],
  ["--marker", "idol"],
])("refuses %s %s, by name", (option, value) => {
  expect(() => queryOf(new Map([[option, [value]]]), NOW)).toThrow(new RegExp(`^${option}[= ]`));
});
