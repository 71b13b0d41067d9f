import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sh } from "../support/daemon.ts";
import { placesOf, scratchDir, serve, tree } from "../support/image.ts";
import { dumpTree, sorted } from "../support/tree.ts";
import { dir, file, gone, opaque, hardlink, BASE, STACKS } from "./agreed-stacks.ts";
import { type Made, tarOf } from "./emit.ts";
import { build, merge } from "./support.ts";

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
