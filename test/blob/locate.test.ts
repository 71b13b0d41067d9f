import { execFileSync } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BlobSearch } from "../../src/blob/locate.ts";
import { identityOf } from "../../src/safe-open/identity.ts";
import { EUCLEAN } from "../../src/bytes/errno.ts";
import {
  describeNode,
  fixture,
  image,
  nodeAt,
  type Patch,
  pathOf,
  refusal,
  type Scratch,
  scratchDir,
  serve,
  tree,
} from "../support/image.ts";

const ID = "d78eabf8367832485d7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de";
const SIZE = 30_720;

/** 01-basic with its tar looked for in an empty directory `D` of its own, after `prepare` was there. */
function basic(
  prepare: (dir: string, tar: string) => void,
  places?: (dir: string) => Partial<BlobSearch>,
): Scratch {
  const made = image("01-basic");
  prepare(made.dir, fixture("01-basic").devices[0]);
  return { ...made, places: { dirs: [made.dir], files: new Map(), ...places?.(made.dir) } };
}

const file = (id: string, path: string): BlobSearch["files"] => new Map([[id, path]]);
const nothing = () => {};
const BIND = "socket(S, AF_UNIX, SOCK_STREAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die $!";
/** Another blob id, with all of its NULs. */
const PASSWD = Buffer.from("passwd".padEnd(64, "\0")).toString("hex");
/** @param dir as `refusal` shows it */
const leadsOut = (dir: string, name = ID): string => {
  const path = dir === "." ? name : `${dir}/${name}`;
  const shown = dir === "." ? "DIR" : dir;
  return `blob ${ID}: ${path}: a link leads out of ${shown} (wanted: 30720 bytes); name the directory that it leads to with --blob-dir, too`;
};

describe("a blob is found", () => {
  const cases: { name: string; of: () => Scratch }[] = [
    { name: "under its id", of: () => basic((d, tar) => copyFileSync(tar, join(d, ID))) },
    { name: "as <id>.tar", of: () => basic((d, tar) => copyFileSync(tar, join(d, `${ID}.tar`))) },
    {
      name: "through a symlink that stays in the directory",
      of: () =>
        basic((d, tar) => {
          mkdirSync(join(d, "tars"));
          copyFileSync(tar, join(d, "tars/layer.tar"));
          symlinkSync("../tars/layer.tar", join(d, "tars", "link"));
          symlinkSync("tars/link", join(d, ID));
        }),
    },
    {
      name: "through a symlink into another of the directories",
      of: () =>
        basic(
          (d, tar) => symlinkSync(tar, join(d, ID)),
          (d) => ({ dirs: [d, dirname(fixture("01-basic").devices[0])] }),
        ),
    },
    {
      name: "in a directory that is a symlink",
      of: () =>
        basic(
          (d, tar) => {
            mkdirSync(join(d, "real"));
            copyFileSync(tar, join(d, "real", ID));
            symlinkSync("real", join(d, "link"));
          },
          (d) => ({ dirs: [join(d, "link")] }),
        ),
    },
    {
      name: "beside the bootstrap",
      of: () =>
        basic(
          (d, tar) => copyFileSync(tar, join(d, `${ID}.tar`)),
          (d) => ({ dirs: [], beside: d }),
        ),
    },
    {
      name: "as a file named for it that is a symlink",
      of: () =>
        basic(
          (d, tar) => symlinkSync(tar, join(d, "x")),
          (d) => ({ files: file(ID, join(d, "x")) }),
        ),
    },
    {
      name: "in the second directory",
      of: () =>
        basic(
          (d, tar) => copyFileSync(tar, join(d, ID)),
          (d) => ({ dirs: [scratchDir(), d] }),
        ),
    },
    {
      name: "in a directory after one that is not there",
      of: () =>
        basic(
          (d, tar) => copyFileSync(tar, join(d, ID)),
          (d) => ({ dirs: [join(d, "none"), d] }),
        ),
    },
    {
      name: "as the file named for its id",
      of: () =>
        basic(
          (d, tar) => copyFileSync(tar, join(d, "x")),
          (d) => ({ files: file(ID, join(d, "x")) }),
        ),
    },
    {
      name: "as the file named for its number",
      of: () =>
        basic(
          (d, tar) => copyFileSync(tar, join(d, "x")),
          (d) => ({ files: file("1", join(d, "x")) }),
        ),
    },
    {
      name: "as the only file",
      of: () =>
        basic(
          (d, tar) => copyFileSync(tar, join(d, "x")),
          (d) => ({ dirs: [], single: join(d, "x") }),
        ),
    },
    {
      name: "when longer than the device slot says",
      of: () =>
        basic((d, tar) => writeFileSync(join(d, ID), Buffer.concat([readFileSync(tar), Buffer.alloc(1000)]))),
    },
    {
      name: "with a file for its id before the directories",
      of: () =>
        basic(
          (d, tar) => {
            mkdirSync(join(d, ID));
            copyFileSync(tar, join(d, "x"));
          },
          (d) => ({ files: file(ID, join(d, "x")) }),
        ),
    },
  ];
  it.each(cases)("$name", ({ of }) => {
    const { path, places } = of();
    expect(tree(serve(path, places).fs)).toEqual(expect.arrayContaining([...fixture("01-basic").entries]));
  });
});

describe("a blob is refused", () => {
  const cases: { name: string; of: () => Scratch; want: string }[] = [
    {
      name: "not there",
      of: () => basic(nothing),
      want: `blob ${ID}: not found as ${ID}, ${ID}.tar (wanted: 30720 bytes); name its directory with --blob-dir or the file with --blob ${ID}=PATH`,
    },
    {
      name: "no place to look in",
      of: () => basic(nothing, () => ({ dirs: [] })),
      want: `blob ${ID}: no place to look in (wanted: 30720 bytes); name its directory with --blob-dir or the file with --blob ${ID}=PATH`,
    },
    {
      name: "not there, for a command that names directories only",
      of: () => basic(nothing, () => ({ isByDirectory: true })),
      want: `blob ${ID}: not found as ${ID}, ${ID}.tar (wanted: 30720 bytes); name its directory with --blob-dir`,
    },
    {
      name: "dangling symlink",
      of: () => basic((d) => symlinkSync("nowhere", join(d, ID))),
      want: `blob ${ID}: not found as ${ID}, ${ID}.tar (wanted: 30720 bytes); name its directory with --blob-dir or the file with --blob ${ID}=PATH`,
    },
    {
      name: "file named for it is not there",
      of: () => basic(nothing, (d) => ({ files: file(ID, join(d, "x")) })),
      want: `blob ${ID}: x: ENOENT: no such file or directory, open 'x' (wanted: 30720 bytes)`,
    },
    {
      name: "a directory",
      of: () => basic((d) => mkdirSync(join(d, ID))),
      want: `blob ${ID}: ${ID}: not a regular file (wanted: 30720 bytes)`,
    },
    {
      name: "a fifo, without waiting for its writer",
      of: () => basic((d) => execFileSync("mkfifo", [join(d, ID)])),
      want: `blob ${ID}: ${ID}: not a regular file (wanted: 30720 bytes)`,
    },
    {
      name: "a character device",
      of: () => basic((d) => execFileSync("mknod", [join(d, ID), "c", "1", "5"])),
      want: `blob ${ID}: ${ID}: not a regular file (wanted: 30720 bytes)`,
    },
    {
      name: "a block device",
      of: () => basic((d) => execFileSync("mknod", [join(d, ID), "b", "7", "99"])),
      want: `blob ${ID}: ${ID}: not a regular file (wanted: 30720 bytes)`,
    },
    {
      name: "a socket",
      of: () => basic((d) => execFileSync("perl", ["-MSocket", "-e", BIND, join(d, ID)])),
      want: `blob ${ID}: ${ID}: not a regular file (wanted: 30720 bytes)`,
    },
    {
      name: "a symlink that leads out",
      of: () => basic((d, tar) => symlinkSync(tar, join(d, ID))),
      want: leadsOut("."),
    },
    {
      name: "a symlink that leads out as <id>.tar, by way of the directory",
      of: () =>
        basic((d) => {
          symlinkSync("/etc/passwd", join(d, "x"));
          symlinkSync("x", join(d, `${ID}.tar`));
        }),
      want: leadsOut(".", `${ID}.tar`),
    },
    {
      name: "a symlink to a directory whose name begins like this one's",
      of: () =>
        basic(
          (d, tar) => {
            for (const name of ["a", "ab"]) mkdirSync(join(d, name));
            copyFileSync(tar, join(d, "ab", ID));
            symlinkSync(`../ab/${ID}`, join(d, "a", ID));
          },
          (d) => ({ dirs: [join(d, "a"), join(d, "none")] }),
        ),
      want: leadsOut("a"),
    },
    {
      name: "a symlink to /dev/zero",
      of: () => basic((d) => symlinkSync("/dev/zero", join(d, ID))),
      want: leadsOut("."),
    },
    {
      name: "a symlink beside the bootstrap that leads out",
      of: () =>
        basic(
          (d, tar) => symlinkSync(tar, join(d, ID)),
          (d) => ({ dirs: [], beside: d }),
        ),
      want: leadsOut("."),
    },
    {
      name: "not named by a sha256, beside the bootstrap",
      of: () => {
        const made = image("01-basic", ...[0x580, 0x1000].map((at): Patch => [at, PASSWD]));
        writeFileSync(join(made.dir, "passwd"), "x".repeat(SIZE));
        return { ...made, places: { dirs: [], beside: made.dir, files: new Map() } };
      },
      want: "blob passwd: no place to look in (wanted: 30720 bytes); name its directory with --blob-dir or the file with --blob passwd=PATH",
    },
    {
      name: "a stranger's file in a directory of root's",
      of: () =>
        basic((d, tar) => {
          copyFileSync(tar, join(d, ID));
          chownSync(join(d, ID), 65534, 65534);
        }),
      want: `blob ${ID}: ${ID}: belongs to user 65534, its directory does not (wanted: 30720 bytes); chown it, or take it as it is with --blob ${ID}=${ID}`,
    },
    {
      name: "the same, for a command that names directories only",
      of: () =>
        basic(
          (d, tar) => {
            copyFileSync(tar, join(d, ID));
            chownSync(join(d, ID), 65534, 65534);
          },
          () => ({ isByDirectory: true }),
        ),
      want: `blob ${ID}: ${ID}: belongs to user 65534, its directory does not (wanted: 30720 bytes); chown it`,
    },
    {
      name: "a stranger's file in a stranger's directory, a byte too short",
      of: () =>
        basic(
          (d, tar) => {
            mkdirSync(join(d, "theirs"));
            copyFileSync(tar, join(d, "theirs", ID));
            truncateSync(join(d, "theirs", ID), SIZE - 1);
            for (const path of ["theirs", `theirs/${ID}`]) chownSync(join(d, path), 65534, 65534);
          },
          (d) => ({ dirs: [join(d, "theirs")] }),
        ),
      want: `blob ${ID}: theirs/${ID}: 30719 bytes is too short (wanted: 30720)`,
    },
    {
      name: "another file than the one that was found",
      of: () =>
        basic(
          (d, tar) => symlinkSync(tar, join(d, "x")),
          (d) => ({
            files: file(ID, join(d, "x")),
            known: new Map([[ID, identityOf(statSync(d))]]),
          }),
        ),
      want: `blob ${ID}: x: not the file that was found when the image was prepared (wanted: 30720 bytes)`,
    },
    {
      name: "a symlink to itself",
      of: () => basic((d) => symlinkSync(ID, join(d, ID))),
      want: `blob ${ID}: ${ID}: ELOOP: too many symbolic links encountered, open '${ID}' (wanted: 30720 bytes)`,
    },
    {
      name: "below a file",
      of: () =>
        basic(
          (d) => writeFileSync(join(d, "f"), ""),
          (d) => ({ dirs: [join(d, "f")] }),
        ),
      want: `blob ${ID}: f/${ID}: ENOTDIR: not a directory, open 'f' (wanted: 30720 bytes)`,
    },
    {
      name: "empty",
      of: () => basic((d) => writeFileSync(join(d, ID), "")),
      want: `blob ${ID}: ${ID}: 0 bytes is too short (wanted: 30720)`,
    },
    {
      name: "a byte too short",
      of: () =>
        basic((d, tar) => {
          copyFileSync(tar, join(d, ID));
          truncateSync(join(d, ID), SIZE - 1);
        }),
      want: `blob ${ID}: ${ID}: 30719 bytes is too short (wanted: 30720)`,
    },
    {
      name: "one file for three blobs",
      of: () => ({ ...image("12-merged"), places: { dirs: [], files: new Map(), single: "/x.tar" } }),
      want: "/x.tar: one file for 3 blobs; name the directory that holds them with --blob-dir",
    },
    {
      name: "without an id and without a file",
      of: () => ({ ...image("24-erofs-tar-index"), places: { dirs: ["/tmp"], files: new Map() } }),
      want: "blob 1 (the image gives it no id): no place to look in (wanted: 29696 bytes); name its directory with --blob-dir or the file with --blob 1=PATH",
    },
    {
      name: "without an id, where only directories can be named",
      of: () => ({
        ...image("24-erofs-tar-index"),
        places: { dirs: ["/tmp"], files: new Map(), isByDirectory: true },
      }),
      want: "blob 1 (the image gives it no id): no place to look in (wanted: 29696 bytes)",
    },
  ];
  it.each(cases)("$name", ({ of, want }) => {
    const made = of();
    expect(refusal(made).replaceAll(made.dir, "DIR")).toBe(want);
  });

  it("unreadable for who runs the daemon", () => {
    const made = basic((d, tar) => {
      copyFileSync(tar, join(d, ID));
      execFileSync("chmod", ["0", join(d, ID)]);
      execFileSync("chmod", ["755", d]);
    });
    const me = process.geteuid?.() ?? 0;
    if (me === 0) process.seteuid?.(65_534);
    try {
      expect(refusal(made)).toBe(
        `blob ${ID}: ${ID}: EACCES: permission denied, open '${ID}' (wanted: 30720 bytes)`,
      );
    } finally {
      process.seteuid?.(me);
    }
  });
});

describe("an image file is refused", () => {
  const cases: { name: string; of: (path: string) => void; want: string }[] = [
    { name: "not there", of: nothing, want: "bootstrap b: no such file" },
    { name: "a directory", of: (p) => mkdirSync(p), want: "bootstrap b: not a regular file" },
    { name: "a fifo", of: (p) => execFileSync("mkfifo", [p]), want: "bootstrap b: not a regular file" },
    {
      name: "a character device",
      of: (p) => symlinkSync("/dev/zero", p),
      want: "bootstrap b: not a regular file",
    },
    {
      name: "a symlink to itself",
      of: (p) => symlinkSync("b", p),
      want: "bootstrap b: ELOOP: too many symbolic links encountered, open 'b'",
    },
    {
      name: "a tar instead",
      of: (p) => copyFileSync(fixture("01-basic").devices[0], p),
      want: "b @0x0: a tar, no bootstrap and no EROFS image; nydusd-ts mount b DIR mounts it, nydus-image-ts create b builds a bootstrap of it",
    },
  ];
  it.each(cases)("$name", ({ of, want }) => {
    const dir = scratchDir();
    of(join(dir, "b"));
    const places = { dirs: [], files: new Map() };
    expect(refusal({ dir, path: join(dir, "b"), places })).toBe(want);
    expect(refusal({ dir, path: join(dir, "b"), places }, true)).toBe(want);
  });
});

describe("a lenient open serves what is there", () => {
  /** What happens to the tars of 12-merged, and what of its tree then answers EUCLEAN. */
  const cases: {
    name: string;
    change: (tars: string[], dir: string) => void;
    first: string;
    lost: string[];
  }[] = [
    {
      name: "the first tar is missing",
      change: (tars) => {
        tars[0] = "/none/l2.tar";
      },
      first:
        "blob 1ff89c9540cd93875e0d8c5b69cba3ac946cf2f0d8e8aaf49f1303d83e459168: /none/l2.tar: ENOENT: no such file or directory, open '/none/l2.tar' (wanted: 10240 bytes)",
      lost: ["/d2f", "/etc/over", "/f2d/x", "/opq/new"],
    },
    {
      name: "the second tar is cut to 3 KiB",
      change: (tars, dir) => {
        copyFileSync(tars[1], join(dir, "cut"));
        truncateSync(join(dir, "cut"), 3072);
        tars[1] = join(dir, "cut");
      },
      first:
        "blob ff2fea9503016b1d163d038430cbdf741c8ee4d5cea750582e5290347511be9f: cut: 3072 bytes is too short (wanted: 20480)",
      lost: ["/hl_a", "/hl_c", "/meta/f"],
    },
    {
      name: "all tars are directories",
      change: (tars, dir) => tars.fill(dir),
      first:
        "blob 1ff89c9540cd93875e0d8c5b69cba3ac946cf2f0d8e8aaf49f1303d83e459168: : not a regular file (wanted: 10240 bytes)",
      lost: [
        "/d2f",
        "/dd/again",
        "/etc/hl3",
        "/etc/keep",
        "/etc/over",
        "/etc/three",
        "/f2d/x",
        "/hl_a",
        "/hl_c",
        "/meta/f",
        "/opq/new",
      ],
    },
  ];
  it.each(cases)("$name", ({ change, first, lost }) => {
    const { path, dir } = image("12-merged");
    const tars = [...fixture("12-merged").devices];
    change(tars, dir);
    const places = { dirs: [], files: new Map(tars.map((t, i) => [String(i + 1), t])) };
    const { fs, opened, losses } = serve(path, places, true);
    expect(opened.report.problems[0].message.replaceAll(`${dir}/`, "").replaceAll(dir, "")).toBe(first);
    const found: string[] = [];
    for (const entry of fixture("12-merged").entries) {
      const node = nodeAt(fs, pathOf(entry));
      if (node === -EUCLEAN) found.push(pathOf(entry).toString());
      else expect(describeNode(fs, node, pathOf(entry))).toEqual(entry);
    }
    expect(found).toEqual(lost);
    expect(losses).toEqual([]);
  });
});
