import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFrom } from "../../src/mkfs/create-from.ts";
import { mountErofs, sh, workDir } from "../support/daemon.ts";
import { type Expected, placesOf, scratchDir, serve, tree } from "../support/image.ts";
import { NO_REPORT } from "../support/no-report.ts";
import { dumpTree, sorted } from "../support/tree.ts";
import { type Made, tarOf } from "./emit.ts";
import { build, built, dir, file } from "./support.ts";

/** Each makes `image.tar` in its directory with GNU tar. */
const ARCHIVES: [name: string, script: string][] = [
  ["v7", "mkdir d; echo x >d/f; ln d/f h; ln -s d/f s; tar --format=v7 -cf image.tar d h s"],
  [
    "ustar, a prefix",
    'n=$(printf "%060d" 1); mkdir -p $n/$n; echo x >$n/$n/f; tar --format=ustar -cf image.tar $n',
  ],
  [
    "gnu, long names",
    'n=$(printf "%0200d" 1); mkdir -p $n/$n; echo x >$n/$n/f; ln -s $n/$n/$n s; tar --format=gnu -cf image.tar $n s',
  ],
  [
    "pax, long names",
    'n=$(printf "%0200d" 1); mkdir -p $n/$n; echo x >$n/$n/f; ln -s $n/$n/$n s; tar --format=pax -cf image.tar $n s',
  ],
  ["names of 255 bytes", 'n=$(printf "%0255d" 1); echo x >$n; tar --format=gnu -cf image.tar $n'],
  ["a symlink of 4,095 bytes", 'ln -s "$(printf "%04095d" 1)" s; tar --format=pax -cf image.tar s'],
  [
    "symlinks around a block",
    'for n in 1 447 448 449 511 512 513 514 900 960 1024 1025; do ln -s "$(printf "%0*d" $n 7)" s$n; done; tar --format=pax -cf image.tar s*',
  ],
  [
    "nanoseconds, also before 1970",
    'echo x >a; echo y >b; touch -d "1969-12-31 23:59:58.25 UTC" a; touch -d "2033-05-18 03:33:20.123456789 UTC" b; tar --format=pax -cf image.tar a b',
  ],
  [
    "owners beyond 21 bits",
    "echo x >f; chown 4294967294:3000000 f; tar --format=gnu -cf image.tar f; echo y >g; chown 4000000000:1 g; tar --format=pax -cf image.tar f g",
  ],
  [
    "setuid, sticky, no permission",
    "mkdir d e; echo x >f; chmod 4755 f; chmod 1777 d; chmod 0 e; tar -cf image.tar f d e",
  ],
  ["devices and fifos", "mknod c c 5 300; mknod b b 259 70000; mkfifo p; tar -cf image.tar c b p"],
  [
    "xattrs",
    'mkdir d; echo x >f; setfattr -n user.a -v 0x0001ff0a d; setfattr -n user.b -v "" f; setfattr -n trusted.c -v value f; setfattr -n security.capability -v 0x0000000200000000000000000000000000000000 f; tar --format=pax --xattrs --xattrs-include="*" -cf image.tar d f',
  ],
  [
    "a large xattr beside a symlink and a directory",
    'mkdir d; echo x >d/f; setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr "\\0" v)" d; tar --format=pax --xattrs --xattrs-include="*" -cf image.tar d',
  ],
  [
    "sparse, old GNU",
    "truncate -s 10M f; echo end >>f; dd if=/dev/urandom of=f bs=4096 seek=100 count=3 conv=notrunc status=none; tar --format=gnu --sparse -cf image.tar f",
  ],
  [
    "sparse, pax 0.0",
    "truncate -s 1M f; echo end >>f; tar --format=pax --sparse --sparse-version=0.0 -cf image.tar f",
  ],
  [
    "sparse, pax 0.1",
    "truncate -s 1M f; echo end >>f; tar --format=pax --sparse --sparse-version=0.1 -cf image.tar f",
  ],
  [
    "sparse, pax 1.0",
    "truncate -s 1M f; echo end >>f; dd if=/dev/urandom of=f bs=4096 seek=7 count=1 conv=notrunc status=none; tar --format=pax --sparse --sparse-version=1.0 -cf image.tar f",
  ],
  [
    "sparse, holes between blocks of 512 bytes",
    "truncate -s 3M f; for at in 1 513 70001 1048575 2000000 3145727; do printf x | dd of=f bs=1 seek=$at conv=notrunc status=none; done; for v in 0.0 0.1 1.0; do cp f f$v; tar --format=pax --sparse --sparse-version=$v --hole-detection=raw -rf image.tar f$v; done",
  ],
  ["nothing but holes", "truncate -s 3M f; tar --format=pax --sparse -cf image.tar f"],
  [
    "many sizes",
    "for n in 0 1 511 512 513 4095 4096 4097 1048575 1048576 1048577 5000000; do head -c $n /dev/urandom >f$n; done; tar -cf image.tar f*",
  ],
  [
    "a large directory",
    'mkdir d; cd d; for i in $(seq 3000); do : >"n$i"; done; : >"!first"; : >"-second"; : >"..c"; cd ..; tar -cf image.tar d',
  ],
  [
    "names of any bytes",
    "printf x >$'\\xff\\xfe'; printf y >$'a\\nb'; printf z >$'\\x01'; tar --format=gnu -cf image.tar .",
  ],
  ["an empty archive", "tar -cf image.tar -T /dev/null"],
  [
    "files after a pax global header",
    'echo x >f; tar --format=pax --pax-option="comment=hello,globexthdr.mtime=1" -cf image.tar f',
  ],
];

const dumped = (entries: readonly Expected[]) =>
  sorted(entries)
    .filter(({ path }) => path !== "/")
    .map(({ ino, size, nlink, ...rest }) => (rest.mode.startsWith("004") ? rest : { ...rest, size, nlink }));

describe("a layer is what GNU tar unpacks", () => {
  it.each(ARCHIVES)("%s", async (_, script) => {
    const dir = workDir();
    sh(
      `mkdir "$D/made" "$D/tar" "$D/erofs"; cd "$D/made"; ${script}; mv image.tar ..; cd ..; tar --numeric-owner --xattrs --xattrs-include="*" -C tar -xpf image.tar`,
      { D: dir },
    );
    const tar = join(dir, "image.tar");
    const { bootstrap, blobs, warnings } = await build(tar);
    const files = blobs.map(() => tar);
    const unpacked = dumped(dumpTree(join(dir, "tar")));
    expect(dumped(tree(serve(bootstrap, placesOf(files)).fs))).toEqual(unpacked);
    mountErofs(bootstrap, files, join(dir, "erofs"));
    expect(dumped(dumpTree(join(dir, "erofs")))).toEqual(unpacked);
    sh(`fsck.erofs ${files.map((f) => `--device="${f}"`).join(" ")} "$B"`, { B: bootstrap });
    expect(warnings).toEqual([]);
  });
});

describe("what no program writes", () => {
  const cases: [name: string, entries: Made[], want: Record<string, string>][] = [
    [
      "nothing leads out of the root",
      [file("../../a/../b"), file("/c")],
      { "/": "0040755", "/b": "0100644", "/c": "0100644" },
    ],
    [
      "`.`, `//` and a slash at the end",
      [dir(".//d//"), file("./d/./f")],
      { "/": "0040755", "/d": "0040755", "/d/f": "0100644" },
    ],
    [
      "parents that come later, and out of order",
      [file("zz/f1"), file("aa/bb/f2"), file("mm/nn/oo/f3"), dir("aa/", { mode: 0o700 })],
      {
        "/": "0040755",
        "/aa": "0040700",
        "/aa/bb": "0040755",
        "/aa/bb/f2": "0100644",
        "/mm": "0040755",
        "/mm/nn": "0040755",
        "/mm/nn/oo": "0040755",
        "/mm/nn/oo/f3": "0100644",
        "/zz": "0040755",
        "/zz/f1": "0100644",
      },
    ],
    [
      "a hard link before its target",
      [{ name: "h", type: "1", link: "f" }, file("f")],
      { "/": "0040755", "/f": "0100644 x2", "/h": "0100644 x2" },
    ],
    [
      "a hard link to a hard link before both",
      [{ name: "a", type: "1", link: "b" }, { name: "b", type: "1", link: "c" }, file("c")],
      { "/": "0040755", "/a": "0100644 x3", "/b": "0100644 x3", "/c": "0100644 x3" },
    ],
    [
      "hard links to one another, the last first",
      [
        { name: "a", type: "1", link: "b" },
        file("b", "taken away"),
        { name: "b", type: "1", link: "d/c" },
        { name: "d/c", type: "1", link: "e" },
        file("e"),
      ],
      {
        "/": "0040755",
        "/a": "0100644 x4",
        "/b": "0100644 x4",
        "/d": "0040755",
        "/d/c": "0100644 x4",
        "/e": "0100644 x4",
      },
    ],
    [
      "40 symlinks on one way",
      [
        dir("d/"),
        { name: "a", type: "2", link: "d" },
        { name: "b", type: "2", pax: { linkpath: `${"a/../".repeat(38)}a` } },
        file("b/f"),
      ],
      {
        "/": "0040755",
        "/a": "0120777 d",
        "/b": `0120777 ${"a/../".repeat(38)}a`,
        "/d": "0040755",
        "/d/f": "0100644",
      },
    ],
    [
      "a directory that is emptied and filled again",
      [file("d/a"), file("d/b"), file("d"), file("d2"), dir("d/"), file("d/b", "again")],
      { "/": "0040755", "/d": "0040755", "/d/b": "0100644", "/d2": "0100644" },
    ],
    [
      "a hard link to a symlink and to a device",
      [
        { name: "s", type: "2", link: "t" },
        { name: "c", type: "3", device: [1, 3] },
        { name: "hs", type: "1", link: "s" },
        { name: "hc", type: "1", link: "c" },
      ],
      {
        "/": "0040755",
        "/c": "0020644 x2",
        "/hc": "0020644 x2",
        "/hs": "0120777 t x2",
        "/s": "0120777 t x2",
      },
    ],
    [
      "a later entry replaces an earlier one",
      [file("f"), file("f", "two", { mode: 0o600 })],
      { "/": "0040755", "/f": "0100600" },
    ],
    [
      "a hard link keeps what it was made to",
      [file("f"), { name: "h", type: "1", link: "f" }, file("f", "two", { mode: 0o600 })],
      { "/": "0040755", "/f": "0100600", "/h": "0100644" },
    ],
    [
      "types that change",
      [dir("d/"), file("d/f"), file("d"), dir("d/"), file("d/g")],
      { "/": "0040755", "/d": "0040755", "/d/g": "0100644" },
    ],
    [
      "a path through a symlink",
      [dir("d/"), { name: "s", type: "2", link: "/d" }, file("s/f")],
      { "/": "0040755", "/d": "0040755", "/d/f": "0100644", "/s": "0120777 /d" },
    ],
    [
      "a symlink out of the root stays inside",
      [{ name: "s", type: "2", link: "../../e" }, file("s/f")],
      { "/": "0040755", "/e": "0040755", "/e/f": "0100644", "/s": "0120777 ../../e" },
    ],
    [
      "whiteouts of a single layer are names",
      [file(".wh.x", ""), file("d/.wh..wh..opq", "")],
      { "/": "0040755", "/.wh.x": "0100644", "/d": "0040755", "/d/.wh..wh..opq": "0100644" },
    ],
  ];
  it.each(cases)("%s", async (_, entries, want) => expect(await built(entries)).toEqual(want));
});

describe("a layer is refused", () => {
  const cases: [name: string, entries: Made[], want: RegExp][] = [
    [
      "a file below a file",
      [file("f"), file("f/g")],
      /@0x400: entry "f\/g": it lies below "f", which is no directory$/,
    ],
    [
      "a hard link to a directory",
      [dir("d/"), { name: "h", type: "1", link: "d" }],
      /@0x200: entry "h": hard link to "d", which is a directory$/,
    ],
    [
      "a hard link to nothing",
      [{ name: "h", type: "1", link: "none" }],
      /@0x0: entry "h": hard link to "none", which is not in the archive$/,
    ],
    [
      "hard links to one another",
      [
        { name: "a", type: "1", link: "b" },
        { name: "b", type: "1", link: "a" },
      ],
      /@0x0: entry "a": hard link to "b", which is not in the archive$/,
    ],
    [
      "symlinks in a circle",
      [{ name: "a", type: "2", link: "b" }, { name: "b", type: "2", link: "a" }, file("a/f")],
      /@0x400: entry "a\/f": ".*" is one of too many symlinks on its way: more than 40$/,
    ],
    [
      "symlinks that lead through one another, 41 in all",
      [
        dir("d/"),
        { name: "a", type: "2", link: "d" },
        { name: "b", type: "2", pax: { linkpath: `${"a/../".repeat(39)}a` } },
        file("b/f"),
      ],
      /entry "b\/f": "a" is one of too many symlinks on its way: more than 40$/,
    ],
    [
      "a path longer than the kernel's",
      [file("x", "", { pax: { path: `${"a/".repeat(2048)}f` } })],
      /@0x0: entry "a.*f": a path of 4097 bytes, want at most 4095$/,
    ],
    [
      "more names on the way than two paths have",
      [
        dir("d/"),
        { name: "l", type: "2", pax: { linkpath: "./".repeat(2047) } },
        { name: "m", type: "2", pax: { linkpath: "l/".repeat(3) } },
        file("m/f"),
      ],
      /entry "m\/f": more than 4096 names on its way$/,
    ],
    [
      "directories in one another, to which only symlinks lead",
      [
        file("x", "", { pax: { path: `${"d/".repeat(2000)}x` } }),
        { name: "l", type: "2", pax: { linkpath: "d/".repeat(2000).slice(0, -1) } },
        file("x", "", { pax: { path: `l/${"e/".repeat(2000)}x` } }),
        { name: "m", type: "2", pax: { linkpath: `l/${"e/".repeat(2000).slice(0, -1)}` } },
        file("x", "", { pax: { path: `m/${"f/".repeat(90)}x` } }),
        file("x", "", { pax: { path: `m/${"f/".repeat(100)}x` } }),
      ],
      /entry "m\/f\/.*x": more than 4096 names on its way$/,
    ],
    [
      "more extended attributes than a list of them holds",
      [
        file("x", "", {
          pax: Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`SCHILY.xattr.user.${i}`, ""])),
        }),
      ],
      /@0x0: entry "x": 1025 extended attributes, want at most 1024$/,
    ],
    [
      "a root that is a symlink",
      [{ name: "./", type: "2", link: "x" }],
      /@0x0: entry "\.\/": it names the root/,
    ],
    [
      "a name of 256 bytes",
      [file("x", "", { pax: { path: "n".repeat(256) } })],
      /@0x0: entry "n+": a name of 256 bytes, want at most 255$/,
    ],
    [
      "an ACL that is none",
      [file("x", "", { pax: { "SCHILY.xattr.system.posix_acl_access": "1" } })],
      /@0x0: entry "x": extended attribute "system\.posix_acl_access": an ACL of 1 bytes$/,
    ],
    [
      "a hard link to a whiteout",
      [file(".wh.x", ""), { name: "h", type: "1", link: ".wh.x" }],
      /@0x200: entry "h": hard link to "\.wh\.x", which is a whiteout$/,
    ],
    ["a whiteout of no name", [file(".wh.", "")], /@0x0: entry "\.wh\.": a whiteout that names nothing$/],
    [
      "a whiteout of a directory's parent",
      [dir("d/.wh.../")],
      /@0x0: entry "d\/\.wh\.\.\.\/": a whiteout that names nothing$/,
    ],
    [
      "a symlink to nothing",
      [{ name: "s", type: "2", link: "" }],
      /@0x0: entry "s": a symlink target of 0 bytes, want 1…4095$/,
    ],
  ];
  it.each(cases)("%s", async (_, entries, want) => {
    const work = scratchDir();
    const path = join(work, "layer.tar");
    writeFileSync(path, tarOf(entries));
    mkdirSync(join(work, "out"));
    await expect(build(path, { bootstrap: join(work, "out/image.boot") })).rejects.toThrow(want);
    expect(sh('ls -A "$D"', { D: join(work, "out") })).toBe("");
  });

  it.each(cases)("%s: also where it lies over another", async (_, entries, want) => {
    const work = scratchDir();
    const [base, above] = [join(work, "base"), join(work, "above")];
    writeFileSync(base, tarOf([file("base")]));
    writeFileSync(above, tarOf(entries));
    for (const name of ["blobs", "out"]) mkdirSync(join(work, name));
    const over = want.source.replace(
      "which is not in the archive",
      "which is neither in its layer nor in one below",
    );
    await expect(
      createFrom({
        ...{
          layers: [base, above],
          blobDir: join(work, "blobs"),
          bootstrap: join(work, "out/x.boot"),
          blobId: undefined,
        },
        ...{ blobLink: "hard", chunkSize: 0x10_0000, isRepeatable: false, ignoreZeros: false, prefetch: [] },
        ...{ report: NO_REPORT, whiteouts: "oci", warn: () => {} },
      }),
    ).rejects.toThrow(new RegExp(over));
    expect(sh('ls -A "$D"', { D: join(work, "out") })).toBe("");
  });
});
