import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sh } from "../support/daemon.ts";
import { placesOf, scratchDir, serve, tree } from "../support/image.ts";
import { dumpTree, sorted } from "../support/tree.ts";
import { type Made, tarOf } from "./emit.ts";
import { build, merge } from "./support.ts";

const dir = (name: string, more: Partial<Made> = {}): Made => ({ name, type: "5", ...more });
const file = (name: string, data = name, more: Partial<Made> = {}): Made => ({
  name,
  data,
  ...more,
});
const gone = (path: string): Made => file(path.replace(/([^/]+)$/, ".wh.$1"), "");
const opaque = (path: string): Made => file(`${path}/.wh..wh..opq`, "");
const symlink = (name: string, link: string): Made => ({ name, type: "2", link });
const hardlink = (name: string, link: string): Made => ({ name, type: "1", link });

/** Every tree here has a root and a directory of its own kind, so that attributes can be lost. */
const BASE = [
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
const STACKS: [name: string, layers: Made[][]][] = [
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

/** Where other tools differ among themselves: what containerd 2.1 unpacked, by path. */
const CONTAINERD: [name: string, layer: Made[], want: string][] = [
  [
    "an opaque marker, then a whiteout of its directory",
    [opaque("d"), gone("d")],
    "/ /etc /etc/drop /etc/keep",
  ],
  ["a whiteout, then an opaque marker in it", [gone("d"), opaque("d")], "/ /d /etc /etc/drop /etc/keep"],
  [
    "an opaque marker, a whiteout of its directory, then a file in it",
    [opaque("d"), gone("d"), file("d/new")],
    "/ /d /d/new /etc /etc/drop /etc/keep",
  ],
  [
    "markers deep in a directory, then its whiteout",
    [gone("d/sub/two"), opaque("d/sub"), gone("d")],
    "/ /etc /etc/drop /etc/keep",
  ],
  [
    "a whiteout of what has a file, which stays",
    [file("d/new"), opaque("d"), gone("d")],
    "/ /d /d/new /etc /etc/drop /etc/keep",
  ],
  [
    "a file below what would be a marker",
    [file("d/.wh.one/x")],
    "/ /d /d/.wh.one /d/.wh.one/x /d/one /d/sub /d/sub/two /etc /etc/drop /etc/keep",
  ],
  [
    "a file below a marker",
    [dir("d/.wh.one/"), file("d/.wh.one/x")],
    "/ /d /d/.wh.one /d/.wh.one/x /d/sub /d/sub/two /etc /etc/drop /etc/keep",
  ],
  [
    "a marker of what a file is below, afterwards",
    [file("d/.wh.one/x"), gone("d/one")],
    "/ /d /d/.wh.one /d/.wh.one/x /d/sub /d/sub/two /etc /etc/drop /etc/keep",
  ],
  [
    "what aufs kept hard links in",
    [dir(".wh..wh.plnk/"), file(".wh..wh.plnk/1.2"), hardlink("l", ".wh..wh.plnk/1.2"), file(".wh..wh.aufs")],
    "/ /.wh..wh.plnk /.wh..wh.plnk/1.2 /d /d/one /d/sub /d/sub/two /etc /etc/drop /etc/keep /l",
  ],
];

/** Unpacks a stack with umoci. @returns the root file system */
function umoci(tars: readonly string[]): string {
  const work = scratchDir();
  sh(
    `cd "$W"; umoci init --layout oci; umoci new --image oci:t
     while IFS= read -r tar; do umoci raw add-layer --image oci:t "$tar"; done <<<"$TARS"
     umoci unpack --image oci:t bundle`,
    { W: work, TARS: tars.join("\n") },
  );
  return join(work, "bundle/rootfs");
}

describe("a layer over another is what containerd unpacks", () => {
  it.each(CONTAINERD)("%s", async (_, layer, want) => {
    const boots = await Promise.all(
      [BASE, layer].map(async (entries) => {
        const path = join(scratchDir(), "layer.tar");
        writeFileSync(path, tarOf(entries));
        return { path, ...(await build(path)) };
      }),
    );
    const { bootstrap, blobs } = merge(boots.map((one) => one.bootstrap));
    const files = blobs.map((id) => boots.find((one) => one.blobs[0] === id)?.path ?? "");
    const shown = sorted(tree(serve(bootstrap, placesOf(files)).fs));
    expect(shown.map(({ path }) => path).join(" ")).toBe(want);
    expect(shown.filter(({ path }) => path?.endsWith(".wh.one")).map(({ mode }) => mode)).toEqual(
      want.includes(".wh.one") ? ["0040755"] : [],
    );
  });
});

describe("a stack of layers is what umoci unpacks", () => {
  it.each(STACKS)("%s", async (_, layers) => {
    const work = scratchDir();
    const tars = layers.map((entries, i) => {
      const path = join(work, `${i}.tar`);
      writeFileSync(path, tarOf(entries));
      return path;
    });
    const built = await Promise.all(tars.map((tar) => build(tar)));
    const merged = merge(built.map(({ bootstrap }) => bootstrap));
    const files = merged.blobs.map((id) => tars[built.findIndex(({ blobs }) => blobs[0] === id)]);
    const { fs } = serve(merged.bootstrap, placesOf(files));
    // The root is touched by whatever is made in it.
    const named = new Set(
      layers
        .flat()
        .filter((e) => e.type === "5")
        .map((e) => `/${String(e.name).replace(/\/$/, "")}`),
    );
    const comparable = (entries: ReturnType<typeof tree>) =>
      sorted(entries).map(({ ino, nlink, size, mtime, mtime_nsec, ...rest }) => {
        const isDirectory = rest.mode.startsWith("004");
        // Unpacking touches directories that no entry names afterwards, and their sizes are the disk's.
        const time = isDirectory && !named.has(rest.path ?? "") ? {} : { mtime, mtime_nsec };
        return isDirectory ? { ...rest, ...time } : { ...rest, ...time, nlink, size };
      });
    expect(comparable(tree(fs))).toEqual(comparable(dumpTree(umoci(tars))));
  });
});
