import { describe, expect, it } from "vitest";
import { base256, END, entry, join, long, pax, readAll, readerOf, shown, ZERO } from "./emit.ts";

interface Case {
  readonly name: string;
  readonly tar: Uint8Array;
  /** Each entry, of it what is not as usual. */
  readonly want: readonly Record<string, unknown>[];
  readonly warnings?: readonly string[];
}

function table(cases: readonly Case[]): void {
  it.each(cases)("$name", ({ tar, want, warnings = [] }) => {
    const told: string[] = [];
    expect(readAll(join(tar, END), { warnings: told }).map(shown)).toEqual(want);
    expect(told).toEqual(warnings);
  });
}

const f = { path: "f", dataAt: 512 };
const afterPax = { path: "f", dataAt: 1536 };

describe("kinds", () => {
  table([
    { name: "0", tar: entry({ data: "abc" }), want: [{ ...f, size: 3 }] },
    { name: "NUL, v7", tar: entry({ type: "\0", magic: "", data: "abc" }), want: [{ ...f, size: 3 }] },
    { name: "7, contiguous", tar: entry({ type: "7", data: "abc" }), want: [{ ...f, size: 3 }] },
    {
      name: "NUL and a slash, v7",
      tar: entry({ type: "\0", magic: "", name: "d/" }),
      want: [{ kind: "directory", path: "d/", dataAt: 512 }],
    },
    {
      name: "NUL and a slash with a size: no data, as in Go and Python",
      tar: join(entry({ type: "\0", name: "d/", size: 512 }), entry()),
      want: [
        { kind: "directory", path: "d/", dataAt: 512 },
        { ...f, at: 512, dataAt: 1024 },
      ],
    },
    {
      name: "0 and a slash: a directory, as in GNU tar; its data are skipped",
      tar: join(entry({ name: "d/", data: "x" }), entry()),
      want: [
        { kind: "directory", path: "d/", dataAt: 512 },
        { ...f, at: 1024, dataAt: 1536 },
      ],
    },
    { name: "1", tar: entry({ type: "1", link: "a" }), want: [{ ...f, kind: "hardlink", link: "a" }] },
    {
      name: "2",
      tar: entry({ type: "2", link: "../a b\xff" }),
      want: [{ ...f, kind: "symlink", link: "../a b\xff" }],
    },
    {
      name: "3",
      tar: entry({ type: "3", major: "0000001\0", minor: "0000003\0" }),
      want: [{ ...f, kind: "char", rdev: 0x103 }],
    },
    {
      name: "4, numbers of 12 and 20 bits",
      tar: entry({ type: "4", major: "0007777\0", minor: "3777777\0" }),
      want: [{ ...f, kind: "block", rdev: 0xffffffff }],
    },
    {
      name: "4, blank numbers",
      tar: entry({ type: "4", major: "        ", minor: " \0" }),
      want: [{ ...f, kind: "block" }],
    },
    {
      name: "3, v7 has no numbers",
      tar: entry({ type: "3", magic: "", major: "0000001\0", minor: "0000003\0" }),
      want: [{ ...f, kind: "char" }],
    },
    {
      name: "4, GNU",
      tar: entry({ type: "4", magic: "gnu", major: "0000010\0", minor: "0000401\0" }),
      want: [{ ...f, kind: "block", rdev: 0x100801 }],
    },
    {
      name: "5",
      tar: entry({ type: "5", name: "d", mode: "0041755\0" }),
      want: [{ kind: "directory", path: "d", mode: 0o1755, dataAt: 512 }],
    },
    { name: "6, device fields all NUL", tar: entry({ type: "6" }), want: [{ ...f, kind: "fifo" }] },
    {
      name: "6, device fields of no meaning",
      tar: entry({ type: "6", major: "xxx", minor: "yyy" }),
      want: [{ ...f, kind: "fifo" }],
    },
    {
      name: "D, whose list is skipped",
      tar: join(entry({ type: "D", magic: "gnu", name: "d/", data: "Yf\0\0" }), entry()),
      want: [
        { kind: "directory", path: "d/", dataAt: 512 },
        { ...f, at: 1024, dataAt: 1536 },
      ],
    },
    {
      name: "V is skipped",
      tar: join(entry({ type: "V", name: "label" }), entry()),
      want: [{ ...f, at: 512, dataAt: 1024 }],
    },
    {
      name: "an unknown one is a file, as in GNU tar",
      tar: join(entry({ type: "9", data: "abc" }), entry({ type: "Z" }), entry()),
      want: [
        { ...f, size: 3 },
        { ...f, at: 1024, dataAt: 1536 },
        { ...f, at: 1536, dataAt: 2048 },
      ],
      warnings: ['f: unknown type "9", taken for a file', 'f: unknown type "Z", taken for a file'],
    },
    ...["1", "2", "3", "4", "5", "6"].map((type) => ({
      name: `${type} has no data, whatever its size says, as in Go`,
      tar: join(entry({ type, size: 1000, link: "a" }), entry({ name: "g" })),
      want: [
        expect.objectContaining({ path: "f", dataAt: 512 }) as Record<string, unknown>,
        { path: "g", at: 512, dataAt: 1024 },
      ],
    })),
    {
      name: "a size that is no number where there are no data",
      tar: entry({ type: "5", size: "x" }),
      want: [{ ...f, kind: "directory" }],
    },
  ]);
});

describe("names", () => {
  const hundred = "n".repeat(100);
  const prefix = "p".repeat(155);
  table([
    { name: "100 bytes", tar: entry({ name: hundred }), want: [{ path: hundred, dataAt: 512 }] },
    {
      name: "prefix and name, full",
      tar: entry({ name: hundred, prefix }),
      want: [{ path: `${prefix}/${hundred}`, dataAt: 512 }],
    },
    {
      name: "any version of ustar",
      tar: entry({ prefix: "p", patch: [[263, "  "]] }),
      want: [{ path: "p/f", dataAt: 512 }],
    },
    {
      name: "GNU has times there",
      tar: entry({ prefix: "12345670123\x0012345670123\0", magic: "gnu" }),
      want: [f],
    },
    {
      name: "GNU has times there, in base-256",
      tar: entry({ prefix: "\x80xxxxxxxxxxx", magic: "gnu" }),
      want: [f],
    },
    {
      name: "Go 1.7: a prefix with GNU's magic",
      tar: entry({ prefix: "p/q", magic: "gnu" }),
      want: [{ path: "p/q/f", dataAt: 512 }],
    },
    { name: "v7 has no prefix", tar: entry({ prefix: "p", magic: "" }), want: [f] },
    {
      name: "star: times behind its prefix",
      tar: entry({
        prefix: "p",
        patch: [
          [476, "00000000000 00000000000 "],
          [508, "tar\0"],
        ],
      }),
      want: [{ path: "p/f", dataAt: 512 }],
    },
    {
      name: "bytes that are no UTF-8",
      tar: entry({ name: "\xff\n\x01" }),
      want: [{ path: "\xff\n\x01", dataAt: 512 }],
    },
    { name: "none", tar: entry({ name: "" }), want: [{ path: "", dataAt: 512 }] },
    {
      name: "a dot, slashes, two dots: as they are",
      tar: entry({ name: "/.//../f" }),
      want: [{ path: "/.//../f", dataAt: 512 }],
    },
    {
      name: "L",
      tar: join(long("L", "l".repeat(600)), entry()),
      want: [{ path: "l".repeat(600), dataAt: 2048 }],
    },
    {
      name: "K",
      tar: join(long("K", "k".repeat(300)), entry({ type: "2", link: "x" })),
      want: [{ path: "f", kind: "symlink", link: "k".repeat(300), dataAt: 1536 }],
    },
    {
      name: "K and L, only for the next entry",
      tar: join(long("K", "k"), long("L", "l"), entry({ type: "1" }), entry({ name: "g" })),
      want: [
        { path: "l", kind: "hardlink", link: "k", dataAt: 2560 },
        { path: "g", at: 2560, dataAt: 3072 },
      ],
    },
    { name: "K for what is no link", tar: join(long("K", "k"), entry()), want: [afterPax] },
    {
      name: "L without a NUL",
      tar: join(entry({ type: "L", data: "abc" }), entry()),
      want: [{ path: "abc", dataAt: 1536 }],
    },
    {
      name: "L that makes a directory of v7",
      tar: join(long("L", "abc/"), entry({ type: "\0", magic: "gnu" })),
      want: [{ kind: "directory", path: "abc/", dataAt: 1536 }],
    },
    {
      name: "pax path and linkpath before L and K",
      tar: join(pax({ path: "p", linkpath: "q" }), long("L", "l"), long("K", "k"), entry({ type: "2" })),
      want: [{ path: "p", kind: "symlink", link: "q", dataAt: 3584 }],
    },
    {
      name: "pax path before prefix",
      tar: join(pax({ path: "p\n=\xff" }), entry({ prefix: "x" })),
      want: [{ path: "p\n=\xff", dataAt: 1536 }],
    },
    { name: "an empty pax path is none", tar: join(pax({ path: "" }), entry()), want: [afterPax] },
  ]);
});

describe("numbers", () => {
  table([
    {
      name: "leading blanks, no end",
      tar: entry({ uid: "    1750", gid: "00001750" }),
      want: [{ ...f, uid: 1000, gid: 1000 }],
    },
    {
      name: "a blank or NUL ends them",
      tar: entry({ uid: "17 50", gid: "17\x0050" }),
      want: [{ ...f, uid: 15, gid: 15 }],
    },
    {
      name: "NULs before them, as AIX writes: in each field",
      tar: entry({
        mode: "\x000640 \0",
        uid: "\0\0\0\x001750",
        gid: " \0 \x0017 \0",
        size: "\0\0\0\0\0\0\0\0\x003 \0",
        mtime: "\x0000000000144",
        checksum: "\x00004420 ",
        data: "abc",
      }),
      want: [{ ...f, mode: 0o640, uid: 1000, gid: 15, size: 3, mtime: 100 }],
    },
    {
      name: "NULs before them, of a device",
      tar: entry({ type: "3", major: "\x00000012\0", minor: "\0\0\0\0\0\x0017" }),
      want: [{ ...f, kind: "char", rdev: 0xa0f }],
    },
    {
      name: "empty",
      tar: entry({
        uid: new Uint8Array(8),
        gid: "        ",
        mtime: "            ",
        mode: "\0\0\0\0\0\0\0\0",
      }),
      want: [{ ...f, mode: 0 }],
    },
    {
      name: "base-256",
      tar: entry({ uid: base256(2n ** 32n - 1n, 8), gid: base256(5n, 8) }),
      want: [{ ...f, uid: 2 ** 32 - 1, gid: 5 }],
    },
    { name: "mtime before 1970", tar: entry({ mtime: base256(-1n, 12) }), want: [{ ...f, mtime: -1 }] },
    {
      name: "mtime long before",
      tar: entry({ mtime: base256(-(2n ** 53n) + 1n, 12) }),
      want: [{ ...f, mtime: 1 - 2 ** 53 }],
    },
    { name: "mtime of 36 bits", tar: entry({ mtime: "777777777777" }), want: [{ ...f, mtime: 2 ** 36 - 1 }] },
    { name: "mode of a file type", tar: entry({ mode: "0107777\0" }), want: [{ ...f, mode: 0o7777 }] },
    {
      name: "a checksum of signed bytes",
      tar: entry({ name: "\xff\xfe", checksum: "005732\0 " }),
      want: [{ path: "\xff\xfe", dataAt: 512 }],
    },
    { name: "a checksum of six digits and blanks", tar: entry({ checksum: "  6103 \0" }), want: [f] },
  ]);
});

describe("pax records", () => {
  const own = (of: Record<string, string>) => join(pax(of), entry());
  table([
    {
      name: "numbers, over those of the header",
      tar: join(
        pax({ uid: "4294967295", gid: "7", size: "3" }),
        entry({ uid: "x", gid: "y", size: "z", data: "abc" }),
      ),
      want: [{ ...afterPax, uid: 2 ** 32 - 1, gid: 7, size: 3 }],
    },
    { name: "mtime", tar: own({ mtime: "1234567890" }), want: [{ ...afterPax, mtime: 1234567890 }] },
    {
      name: "mtime with a fraction",
      tar: own({ mtime: "12.5" }),
      want: [{ ...afterPax, mtime: 12, mtimeNsec: 500_000_000 }],
    },
    {
      name: "mtime finer than a nanosecond",
      tar: own({ mtime: "12.0000000019" }),
      want: [{ ...afterPax, mtime: 12, mtimeNsec: 1 }],
    },
    { name: "mtime with a point only", tar: own({ mtime: "12." }), want: [{ ...afterPax, mtime: 12 }] },
    { name: "mtime before 1970", tar: own({ mtime: "-12" }), want: [{ ...afterPax, mtime: -12 }] },
    {
      name: "mtime before 1970 with a fraction",
      tar: own({ mtime: "-12.25" }),
      want: [{ ...afterPax, mtime: -13, mtimeNsec: 750_000_000 }],
    },
    {
      name: "mtime just before 1970",
      tar: own({ mtime: "-0.0000000001" }),
      want: [{ ...afterPax, mtime: -1, mtimeNsec: 999_999_999 }],
    },
    { name: "mtime -0", tar: own({ mtime: "-0.0" }), want: [afterPax] },
    { name: "X, as Sun wrote", tar: join(pax({ uid: "5" }, "X"), entry()), want: [{ ...afterPax, uid: 5 }] },
    {
      name: "the second x replaces the first",
      tar: join(pax({ uid: "5" }), pax({ gid: "6" }), entry()),
      want: [{ path: "f", gid: 6, dataAt: 2560 }],
    },
    {
      name: "the last of a key counts",
      tar: join(pax("9 uid=55\n8 uid=6\n"), entry()),
      want: [{ ...afterPax, uid: 6 }],
    },
    {
      name: "an empty value leaves the header's",
      tar: join(pax({ uid: "", mtime: "" }), entry({ uid: "0000005\0" })),
      want: [{ ...afterPax, uid: 5 }],
    },
    {
      name: "what is unknown",
      tar: own({ atime: "x", ctime: "", comment: "=\n\0", "SCHILY.dev": "y", "GNU.x": "" }),
      want: [afterPax],
    },
    { name: "no records", tar: own({}), want: [{ path: "f", dataAt: 1024 }] },
    {
      name: "zeros before the length",
      tar: join(pax("0010 uid=5\n".replace("10", "11")), entry()),
      want: [{ ...afterPax, uid: 5 }],
    },
    {
      name: "none for a later entry",
      tar: join(pax({ uid: "5" }), entry(), entry()),
      want: [
        { ...afterPax, uid: 5 },
        { ...f, at: 1536, dataAt: 2048 },
      ],
    },
  ]);
});

describe("pax global records", () => {
  const g = (of: Record<string, string>) => pax(of, "g");
  table([
    {
      name: "count for all later entries",
      tar: join(entry(), g({ uid: "5" }), entry(), entry()),
      want: [f, { path: "f", at: 1536, uid: 5, dataAt: 2048 }, { path: "f", at: 2048, uid: 5, dataAt: 2560 }],
    },
    {
      name: "give way to the entry's own",
      tar: join(g({ uid: "5", gid: "6" }), pax({ uid: "7" }), entry()),
      want: [{ path: "f", at: 1024, uid: 7, gid: 6, dataAt: 2560 }],
    },
    {
      name: "an empty own one takes them back",
      tar: join(g({ uid: "5" }), pax({ uid: "" }), entry(), entry()),
      want: [
        { path: "f", at: 1024, dataAt: 2560 },
        { path: "f", at: 2560, uid: 5, dataAt: 3072 },
      ],
    },
    {
      name: "are taken back by later ones, key by key",
      tar: join(g({ uid: "5", gid: "6" }), g({ uid: "" }), entry()),
      want: [{ path: "f", at: 2048, gid: 6, dataAt: 2560 }],
    },
    {
      name: "between an entry's own header and it",
      tar: join(pax({ gid: "6" }), g({ uid: "5" }), entry()),
      want: [{ path: "f", uid: 5, gid: 6, dataAt: 2560 }],
    },
    { name: "with nothing after them", tar: join(entry(), g({ comment: "x" })), want: [f] },
    {
      name: "attributes",
      tar: join(
        g({ "SCHILY.xattr.user.a": "1", "SCHILY.xattr.user.b": "2" }),
        pax({ "SCHILY.xattr.user.b": "3" }),
        entry(),
      ),
      want: [{ path: "f", at: 1024, dataAt: 2560, xattrs: { "user.a": "1", "user.b": "3" } }],
    },
  ]);
});

describe("extended attributes", () => {
  const own = (of: Record<string, string>) => join(pax(of), entry());
  table([
    {
      name: "any bytes",
      tar: own({ "SCHILY.xattr.user.x": "a\n\0=\xff" }),
      want: [{ ...afterPax, xattrs: { "user.x": "a\n\0=\xff" } }],
    },
    {
      name: "an empty value",
      tar: own({ "SCHILY.xattr.user.x": "" }),
      want: [{ ...afterPax, xattrs: { "user.x": "" } }],
    },
    {
      name: "bsdtar's, without padding",
      tar: own({ "LIBARCHIVE.xattr.user.%3d%C3%A4%%": "AAoB/w" }),
      want: [{ ...afterPax, xattrs: { "user.=\xc3\xa4%%": "\0\n\x01\xff" } }],
    },
    {
      name: "both: SCHILY wins when first",
      tar: own({ "SCHILY.xattr.user.x": "s", "LIBARCHIVE.xattr.user.x": "bA==" }),
      want: [{ ...afterPax, xattrs: { "user.x": "s" } }],
    },
    {
      name: "both: SCHILY wins when last",
      tar: own({ "LIBARCHIVE.xattr.user.x": "bA", "SCHILY.xattr.user.x": "s" }),
      want: [{ ...afterPax, xattrs: { "user.x": "s" } }],
    },
    {
      name: "bsdtar's pair for a name with an escape is one attribute",
      tar: own({ "LIBARCHIVE.xattr.user.a%20b%3D": "cw", "SCHILY.xattr.user.a%20b%3D": "s" }),
      want: [{ ...afterPax, xattrs: { "user.a b=": "s" } }],
    },
    {
      name: "GNU tar's spelling beside libarchive's is one attribute",
      tar: own({ "SCHILY.xattr.user.%253D": "s", "LIBARCHIVE.xattr.user.%253D": "cw" }),
      want: [{ ...afterPax, xattrs: { "user.%3D": "s" } }],
    },
    {
      name: "escapes in a SCHILY record alone stand for themselves, as in container tools",
      tar: own({ "SCHILY.xattr.user.a%3Db": "s", "LIBARCHIVE.xattr.user.c": "cw" }),
      want: [{ ...afterPax, xattrs: { "user.a%3Db": "s", "user.c": "s" } }],
    },
    {
      name: "two of a name's spellings with different values are two",
      tar: own({ "SCHILY.xattr.user.a%3Db": "s", "LIBARCHIVE.xattr.user.a%3Db": "eA" }),
      want: [{ ...afterPax, xattrs: { "user.a%3Db": "s", "user.a=b": "x" } }],
    },
    {
      name: "the last of a name",
      tar: join(pax("25 SCHILY.xattr.user.x=1\n25 SCHILY.xattr.user.x=2\n"), entry()),
      want: [{ ...afterPax, xattrs: { "user.x": "2" } }],
    },
    {
      name: "in the order of their records",
      tar: own({ "SCHILY.xattr.b.x": "1", "SCHILY.xattr.a.x": "2" }),
      want: [{ ...afterPax, xattrs: { "b.x": "1", "a.x": "2" } }],
    },
  ]);
});

describe("ends", () => {
  table([
    { name: "two blocks of zeros", tar: join(entry(), END, entry()), want: [f] },
    {
      name: "a lone block of zeros is skipped",
      tar: join(entry(), ZERO, entry()),
      want: [f, { ...f, at: 1024, dataAt: 1536 }],
      warnings: ["a lone block of zeros at byte 512"],
    },
    { name: "nothing at all", tar: new Uint8Array(0), want: [] },
  ]);
  const whole = [
    { name: "no end marker", tar: entry(), want: 1, end: 512 },
    { name: "half an end marker", tar: join(entry(), ZERO), want: 1, end: 1024 },
    {
      name: "half an end marker and less than a block",
      tar: join(entry(), ZERO, new Uint8Array(5)),
      want: 1,
      end: 1029,
    },
    { name: "less than a block of zeros", tar: join(entry(), new Uint8Array(5)), want: 1, end: 517 },
    {
      name: "the padding of the last file missing",
      tar: entry({ data: "abc" }).subarray(0, 515),
      want: 1,
      end: 515,
    },
    { name: "an end marker and more", tar: join(entry(), END, entry()), want: 1, end: 1536 },
    { name: "nothing", tar: new Uint8Array(0), want: 0, end: 0 },
  ];
  it.each(whole)("$name", ({ tar, want, end }) => {
    const reader = readerOf(tar);
    for (let i = 0; i < want; i++) expect(reader.next(tar.length, true)).toMatchObject({ kind: "file" });
    for (let i = 0; i < 2; i++) expect(reader.next(tar.length, true)).toBeUndefined();
    expect(reader.end).toBe(end);
  });
  it("are passed over when that is asked for", () => {
    const tar = join(entry(), END, ZERO, entry({ name: "g" }), END);
    expect(readAll(tar, { ignoreZeros: true }).map(shown)).toEqual([
      f,
      { path: "g", at: 2048, dataAt: 2560 },
    ]);
  });
});
