import type { Made } from "./emit.ts";
import { dir, file } from "./support.ts";

const numbered = (n: number, make: (i: number) => Made): Made[] =>
  Array.from({ length: n }, (_, i) => make(i));
const repeated = (n: number, make: (i: number) => Made[]): Made[] =>
  Array.from({ length: n }, (_, i) => make(i)).flat();
const hardlink = (name: string, link: string): Made => ({ name, type: "1", link });
const symlink = (name: string, link: string): Made => ({ name, type: "2", link });
const xattrs = (n: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`SCHILY.xattr.user.${i}`, "value"]));
const sparse = (name: string, pieces: number): Made => ({
  name,
  data: "s".repeat(512 * pieces),
  pax: {
    "GNU.sparse.size": String(1024 * pieces),
    "GNU.sparse.numblocks": String(pieces),
    "GNU.sparse.map": Array.from({ length: pieces }, (_, i) => `${1024 * i},512`).join(","),
  },
});
const deep = (n: number, name: string): Made => file("f", "", { pax: { path: `${"d/".repeat(n)}${name}` } });
const gone = (name: string): Made => file(name.replace(/([^/]+)$/, ".wh.$1"), "");
const OPAQUE = file("d/.wh..wh..opq", "");

/** Each takes twice as much of what an author can choose when `n` is twice as much. */
export const DIMENSIONS: [name: string, layers: (n: number) => Made[][]][] = [
  ["entries", (n) => [numbered(n, (i) => file(`d/${i}`))]],
  ["entries of one name", (n) => [numbered(n, () => file("d/f"))]],
  ["depth", (n) => [[deep(n, "f")]]],
  ["depth, and entries there", (n) => [numbered(50, (i) => deep(n, `${i}`))]],
  ["hard links", (n) => [[file("f"), ...numbered(n, (i) => hardlink(`h${i}`, "f"))]]],
  ["hard links before their target", (n) => [[...numbered(n, (i) => hardlink(`h${i}`, "f")), file("f")]]],
  [
    "a chain of hard links, the last first",
    (n) => [[...numbered(n, (i) => hardlink(`h${i}`, `h${i + 1}`)), file(`h${n}`)]],
  ],
  [
    "hard links to a layer below",
    (n) => [numbered(n, (i) => file(`d/${i}`)), numbered(n, (i) => hardlink(`h${i}`, `d/${i}`))],
  ],
  ["paths through a symlink", (n) => [[dir("d/"), symlink("l", "d"), ...numbered(n, (i) => file(`l/${i}`))]]],
  [
    "paths through a symlink of a layer below",
    (n) => [[dir("d/"), symlink("l", "d")], numbered(n, (i) => file(`l/${i}`))],
  ],
  [
    "a directory that is replaced, and its children",
    (n) => [[...numbered(n, (i) => file(`d/${i}`)), ...repeated(n, () => [file("d"), dir("d/")])]],
  ],
  [
    "whiteouts, and what they take away",
    (n) => [numbered(n, (i) => file(`d/${i}`)), numbered(n, (i) => gone(`d/${i}`))],
  ],
  ["whiteouts of what is not there", (n) => [[dir("d/")], numbered(n, (i) => gone(`d/${i}`))]],
  [
    "the same whiteout, of what the layer has",
    (n) => [[dir("d/")], [...numbered(n, (i) => file(`d/${i}`)), ...numbered(n, () => gone("d"))]],
  ],
  [
    "opaque markers, and what stays",
    (n) => [[dir("d/")], [...numbered(n, (i) => file(`d/${i}`)), ...numbered(n, () => OPAQUE)]],
  ],
  [
    "opaque markers, and directories made for whiteouts",
    (n) => [
      [dir("d/")],
      [...numbered(n, (i) => file(`d/${i}`)), ...repeated(n, (i) => [gone(`d/x${i}/y`), OPAQUE])],
    ],
  ],
  [
    "layers over removed names",
    (n) => [numbered(100, (i) => file(`d/${i}`)), ...Array.from({ length: n }, () => [dir("d/"), OPAQUE])],
  ],
  ["layers of a file", (n) => Array.from({ length: n }, (_, i) => [file(`d/${i}`)])],
  ["attributes of an entry", (n) => [[file("f", "", { pax: xattrs(n) })]]],
  ["entries with attributes", (n) => [numbered(n, (i) => file(`${i}`, "", { pax: xattrs(20) }))]],
  [
    "pax records that mean nothing",
    (n) => [
      [file("f", "", { pax: Object.fromEntries(Array.from({ length: n }, (_, i) => [`VENDOR.${i}`, "x"])) })],
    ],
  ],
  ["pieces of a sparse file", (n) => [[sparse("f", n)]]],
  ["sparse files", (n) => [numbered(n, (i) => sparse(`${i}`, 3))]],
];
