import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { messageOf } from "../../src/bytes/errors.ts";
import { Pool } from "../../src/mkfs/pool.ts";
import { mountErofs, sh, workDir } from "../support/daemon.ts";
import {
  image,
  le,
  nodeAt,
  type Patch,
  placesOf,
  scratchDir,
  serve,
  tree,
  xattrsOf,
} from "../support/image.ts";
import { dumpTree, sorted } from "../support/tree.ts";
import { tarOf } from "./emit.ts";
import { build, dir, file, merge } from "./support.ts";

/** Bytes put in front of an image of mkfs.erofs: superblock, RAFS tables and device table; 16 blocks. */
const HEAD = 8192;
/** Blocks of the image that mkfs.erofs makes here. */
const BLOCK = 512;

/** A tree whose values mkfs.erofs keeps once for all inodes that have them, and under a long prefix. */
const SCRIPT = `
  mkdir "$S"; cd "$S"
  for i in 1 2 3 4; do
    mkdir d$i; echo $i >d$i/f
    setfattr -n user.same -v "a value that every file has" d$i/f
    setfattr -n trusted.overlay.opaque -v y d$i
    setfattr -n user.long.prefix.a -v "shared, too" d$i/f
  done
  setfattr -n user.own -v x d1/f; setfattr -n user.long.prefix.b -v y d2/f
  mkdir plain; echo none >plain/f; mkfifo p; setfattr -n trusted.of.a.fifo -v 1 p
  : >"$D/blob"
  mkfs.erofs --quiet -T1700000000 -b512 -x1 --xattr-prefix=user.long.prefix. --chunksize=4096 \
    -Enoinline_data,force-chunk-indexes --blobdev="$D/blob" "$D/foreign.erofs" "$S"`;

/** An image of mkfs.erofs whose data lies in one blob, as the TARFS bootstrap that it would be. */
function asTarfs(erofs: Uint8Array, blob: string): Uint8Array {
  const bytes = new Uint8Array(HEAD + erofs.length);
  const v = new DataView(bytes.buffer);
  bytes.set(erofs.subarray(1024, 1152), 1024);
  bytes.set(erofs, HEAD);
  const move = (at: number, by: number) => v.setUint32(at, v.getUint32(at, true) + by, true);
  v.setUint32(1024 + 4, 0, true); // no checksum
  v.setUint32(1024 + 8, 0x4000_0000, true);
  move(1024 + 40, HEAD / BLOCK); // inodes
  move(1024 + 44, HEAD / BLOCK); // shared xattrs
  move(1024 + 92, HEAD / 4); // long prefixes
  v.setUint16(1024 + 88, 1408 / 128, true);
  bytes.set(erofs.subarray(1152, 1280), 1408); // the device slot
  bytes.set(Buffer.from(blob), 1408);
  move(1408 + 68, HEAD / BLOCK); // behind the image
  v.setUint32(1152, 0x0100_0239, true);
  v.setUint32(1152 + 8, 4096, true);
  v.setUint32(1152 + 16, 256, true);
  v.setUint32(1152 + 20, 0x1000, true);
  bytes.set(Buffer.from(blob), 4096);
  v.setUint32(4096 + 68, 0x1000, true);
  v.setUint32(4096 + 80, 1, true);
  for (const at of [88, 96]) v.setUint32(4096 + at, v.getUint32(1408 + 64, true) * BLOCK, true);
  return bytes;
}

describe("merge takes a bootstrap of another builder", () => {
  const work = scratchDir();
  const [foreign, blob] = [join(work, "foreign.boot"), join(work, "blob")];

  beforeAll(() => {
    sh(SCRIPT, { S: join(work, "tree"), D: work });
    writeFileSync(foreign, asTarfs(readFileSync(join(work, "foreign.erofs")), "foreign"));
  });

  it("with shared xattrs and long prefixes, of which none is lost, as the kernel sees it", () => {
    const { bootstrap } = merge([foreign], { whiteouts: "overlayfs" });
    const dirs = workDir();
    const shown = (path: string, name: string) => {
      mkdirSync(join(dirs, name));
      mountErofs(path, [blob], join(dirs, name));
      return sorted(dumpTree(join(dirs, name))).map(({ ino, size, ...rest }) =>
        rest.mode.startsWith("004") ? rest : { ...rest, size },
      );
    };
    const original = shown(join(work, "foreign.erofs"), "original");
    expect(original.filter(({ xattrs }) => xattrs !== undefined).length).toBe(9);
    expect(shown(foreign, "foreign")).toEqual(original);
    expect(shown(bootstrap, "merged")).toEqual(original);
    expect(sorted(tree(serve(bootstrap, placesOf([blob])).fs))).toEqual(
      sorted(dumpTree(join(dirs, "merged"))),
    );
  });

  it("that hides what is below its directories by a shared xattr", async () => {
    const tar = join(scratchDir(), "layer.tar");
    writeFileSync(tar, tarOf([dir("d1/"), file("d1/hidden"), dir("plain/"), file("plain/kept")]));
    const { bootstrap: lower } = await build(tar, { chunkSize: 0x1000 });
    const merged = merge([lower, foreign], { whiteouts: "overlayfs" });
    const { fs } = serve(
      merged.bootstrap,
      placesOf(merged.blobs.map((id) => (id === "foreign" ? blob : tar))),
    );
    expect(nodeAt(fs, "/d1/hidden")).toBe(0);
    expect(nodeAt(fs, "/plain/kept")).toBeGreaterThan(0);
    expect(Object.keys(xattrsOf(fs, nodeAt(fs, "/d1/f"))).sort()).toEqual([
      "user.long.prefix.a",
      "user.own",
      "user.same",
    ]);
  });

  it("but leaves out what an overlay would obey, or no file system has", () => {
    const bytes = readFileSync(foreign);
    const entry = bytes.indexOf("overlay.opaque", HEAD) - 4;
    bytes[entry + 1] = 2; // system.posix_acl_access, which is a whole name
    const path = join(scratchDir(), "image");
    writeFileSync(path, bytes);
    const told: string[] = [];
    const merged = merge([path], { warn: (message) => told.push(message) });
    const { fs } = serve(merged.bootstrap, placesOf([blob]));
    const names = tree(fs).flatMap(({ xattrs }) => Object.keys(xattrs ?? {}));
    expect(names.filter((name) => /overlay|system/.test(name))).toEqual([]);
    expect(told.join("\n")).toMatch(
      /^extended attribute "system\.posix_acl_accessoverlay\.opaque" was left out \d+ times: EROFS has no such namespace$/,
    );
    expect(() => merge([path], { strictXattrs: true })).toThrow(
      /image @0x2600: extended attribute "system\.posix_acl_accessoverlay\.opaque": EROFS has no such namespace$/,
    );
    expect(() => merge([foreign], { strictXattrs: true })).toThrow(
      /foreign\.boot @0x2600: extended attribute "trusted\.overlay\.opaque": an overlay above would obey it$/,
    );
  });
});

describe("merge refuses a bootstrap", () => {
  const cases: [name: string, fixture: string, patches: Patch[], want: string][] = [
    [
      "whose files lie in it, inline",
      "01-basic",
      [[0x3740, "05"]],
      "image @0x3740: its data lies in the image itself, want it in a blob",
    ],
    [
      "whose files lie in it, in blocks",
      "01-basic",
      [
        [0x3740, "01"],
        [0x3750, "0000 0000"],
      ],
      "image @0x3740: its data lies in the image itself, want it in a blob",
    ],
    [
      "that states a smaller blob than its device table",
      "01-basic",
      [[0x1058, le(512, 8)]],
      "image @0x1000: blob 0 has 512 bytes, its device slot has 60 blocks of 512",
    ],
    [
      "whose blobs have more bytes than a number holds",
      "01-basic",
      [[0x1058, "0000 0000 0000 2000"]],
      "image @0x1000: blob 0 has 9007199254740992 bytes, want below 2^53",
    ],
  ];
  it.each(cases)("%s", (_, name, patches, want) => {
    const { dir: scratch, path } = image(name, ...patches);
    let said = "";
    try {
      merge([path]);
    } catch (error) {
      said = messageOf(error).replaceAll(`${scratch}/`, "");
    }
    expect(said).toBe(want);
  });
});

it("what small bootstraps could make large has a limit", () => {
  const pool = new Pool();
  expect(() => pool.reserve(2 ** 30 + 1)).toThrow(
    "names, symlink targets and extended attributes take more than 1073741824 bytes",
  );
});
