import type { Made } from "./emit.ts";

export const dir = (name: string, more: Partial<Made> = {}): Made => ({ name, type: "5", ...more });
export const file = (name: string, data = name, more: Partial<Made> = {}): Made => ({
  name,
  data,
  ...more,
});
export const gone = (path: string): Made => file(path.replace(/([^/]+)$/, ".wh.$1"), "");
export const opaque = (path: string): Made => file(`${path}/.wh..wh..opq`, "");
const symlink = (name: string, link: string): Made => ({ name, type: "2", link });
export const hardlink = (name: string, link: string): Made => ({ name, type: "1", link });

/** Every tree here has a root and a directory of its own kind, so that attributes can be lost. */
export const BASE = [
  dir("./", { mode: 0o755 }),
  dir("etc/", { mode: 0o750, uid: 7, gid: 8, mtime: 1_600_000_000 }),
  file("etc/keep"),
  file("etc/drop"),
  dir("d/"),
  file("d/one"),
  dir("d/sub/"),
  file("d/sub/two"),
];

/** Stacks on which OCI's text and umoci agree; the lowest layer first. */
export const STACKS: [name: string, layers: Made[][]][] = [
  ["a whiteout of a file", [BASE, [gone("etc/drop")]]],
  ["a whiteout of a directory", [BASE, [gone("d")]]],
  ["a whiteout of what is not there", [BASE, [gone("etc/nothing"), gone("nowhere")]]],
  ["whiteouts in the lowest layer", [[...BASE, gone("etc/nothing"), opaque("d")]]],
  ["an opaque directory, its marker first", [BASE, [dir("d/"), opaque("d"), file("d/new")]]],
  ["an opaque directory, its marker last", [BASE, [dir("d/"), file("d/new"), opaque("d")]]],
  ["an opaque directory below a missing parent", [BASE, [opaque("d/sub"), file("d/sub/new")]]],
  ["a directory removed and made again in one layer", [BASE, [gone("d"), dir("d/"), file("d/again")]]],
  [
    "a directory removed in one layer, made again in the next",
    [BASE, [gone("d")], [dir("d/", { mode: 0o700 })]],
  ],
  ["a file in a directory that the layer does not name", [BASE, [file("etc/new")]]],
  ["a whiteout in a directory that the layer does not name", [BASE, [gone("etc/drop")], [file("etc/more")]]],
  [
    "new attributes of a directory",
    [BASE, [dir("etc/", { mode: 0o700, uid: 9, gid: 9, mtime: 1_500_000_000 })]],
  ],
  ["new attributes of the root", [BASE, [dir("./", { mode: 0o711, uid: 5 })]]],
  ["a layer without the root", [BASE, [file("new")]]],
  ["a file becomes a directory", [BASE, [dir("etc/keep/"), file("etc/keep/x")]]],
  ["a directory becomes a file", [BASE, [file("d")]]],
  ["a directory becomes a symlink", [BASE, [symlink("d", "etc")]]],
  // As umoci repack writes them.
  [
    "a directory becomes a file, and loses its own one by one",
    [BASE, [file("d"), gone("d/one"), gone("d/sub/two")]],
  ],
  [
    "a directory becomes a symlink, and loses its own one by one",
    [BASE, [symlink("d", "etc"), gone("d/keep")]],
  ],
  [
    "a symlink becomes a directory",
    [
      [...BASE, symlink("l", "d")],
      [dir("l/"), file("l/x")],
    ],
  ],
  ["a file behind a lower layer's symlink", [[...BASE, symlink("lib", "d/sub")], [file("lib/x")]]],
  ["a file behind a lower layer's absolute symlink", [[...BASE, symlink("lib", "/d/sub")], [file("lib/x")]]],
  [
    "hard links of one layer, one removed above",
    [[...BASE, hardlink("h1", "d/one"), hardlink("h2", "d/one")], [gone("h1")]],
  ],
  [
    "hard links of one layer, one replaced above",
    [[...BASE, hardlink("h1", "d/one")], [file("d/one", "new")]],
  ],
  [
    "deep directories that only upper layers name",
    [BASE, [file("a/b/c/d/e")], [gone("a/b/c/d/e"), file("a/b/x")]],
  ],
  ["the same layer twice", [BASE, BASE]],
  [
    "three layers over one file",
    [BASE, [file("etc/keep", "second")], [file("etc/keep", "third", { mode: 0o600 })]],
  ],
  ["a whiteout that is a hard link to nothing", [BASE, [hardlink("etc/.wh.drop", ".wh..wh.aufs")]]],
  ["a whiteout that is a hard link to what goes", [BASE, [hardlink("etc/.wh.drop", "etc/drop")]]],
  ["a whiteout that is a symlink to nothing", [BASE, [symlink("etc/.wh.drop", "")]]],
  ["a whiteout that is a device", [BASE, [{ name: "etc/.wh.drop", type: "3", device: [1, 3] }]]],
  ["a whiteout that is a directory", [BASE, [dir("d/.wh.sub/")]]],
  ["an opaque marker that is a hard link", [BASE, [hardlink("d/.wh..wh..opq", "none"), file("d/new")]]],
  ["an opaque marker that is a directory", [BASE, [dir("d/.wh..wh..opq/"), file("d/new")]]],
  ["an opaque marker that is a fifo", [BASE, [{ name: "d/.wh..wh..opq", type: "6" }, file("d/new")]]],
];
