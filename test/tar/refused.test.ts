import { describe, expect, it } from "vitest";
import { FormatError } from "../../src/bytes/errors.ts";
import { base256, END, entry, type Header, join, long, pax, readAll, record } from "./emit.ts";

interface Case {
  readonly name: string;
  readonly tar: Uint8Array;
  readonly want: string;
}

function table(cases: readonly Case[]): void {
  it.each(cases)("$name", ({ tar, want }) => {
    let thrown: unknown;
    try {
      readAll(tar);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(FormatError);
    expect((thrown as FormatError).message).toBe(want);
  });
}

const of = (header: Header) => join(entry(header), END);
const own = (records: Record<string, string> | string, header: Header = {}) =>
  join(pax(records), entry(header), END);

describe("headers", () => {
  table([
    {
      name: "checksum",
      tar: of({ checksum: "001234\0 " }),
      want: 't @0x0: header checksum is "001234", want 6103: compressed, damaged, or no tar',
    },
    {
      name: "checksum of a later one",
      tar: join(entry(), of({ checksum: "zz" })),
      want: 't @0x200: header checksum is "zz", want 6103: compressed, damaged, or no tar',
    },
    {
      name: "less than a header",
      tar: Buffer.from("hello"),
      want: "t @0x0: 5 bytes are no header: the tar is cut off, or this is no tar",
    },
    {
      name: "less than a later header",
      tar: of({}).subarray(0, 400),
      want: "t @0x0: 400 bytes are no header: the tar is cut off, or this is no tar",
    },
    {
      name: "mode",
      tar: of({ mode: "rw-r--r-" }),
      want: 't @0x0: f: mode is "rw-r--r-", want an octal number',
    },
    { name: "uid", tar: of({ uid: "0000009\0" }), want: 't @0x0: f: uid is "0000009", want an octal number' },
    { name: "gid", tar: of({ gid: "-0000001" }), want: 't @0x0: f: gid is "-0000001", want an octal number' },
    {
      name: "mode of NULs and no digits",
      tar: of({ mode: "\0\0rw-r-\0" }),
      want: 't @0x0: f: mode is "\\x00\\x00rw-r-", want an octal number',
    },
    {
      name: "a NUL before base-256",
      tar: of({ uid: "\0\x80\0\0\0\0\0\x01" }),
      want: 't @0x0: f: uid is "\\x00\\x80\\x00\\x00\\x00\\x00\\x00\\x01", want an octal number',
    },
    {
      name: "uid of 33 bits",
      tar: of({ uid: base256(2n ** 32n, 8) }),
      want: "t @0x0: f: uid is 4294967296, want 0 to 4294967295",
    },
    {
      name: "negative gid",
      tar: of({ gid: base256(-2n, 8) }),
      want: "t @0x0: f: gid is -2, want 0 to 4294967295",
    },
    {
      name: "size",
      tar: of({ size: "0000000000x\0" }),
      want: 't @0x0: f: size is "0000000000x", want an octal number',
    },
    {
      name: "negative size",
      tar: of({ size: base256(-1n, 12) }),
      want: "t @0x0: f: size is -1, want 0 to 9007199254740991",
    },
    {
      name: "size of 54 bits",
      tar: of({ size: base256(2n ** 53n, 12) }),
      want: "t @0x0: f: size is 9007199254740992, want 0 to 9007199254740991",
    },
    {
      name: "data beyond 2^53",
      tar: of({ size: base256(2n ** 53n - 1n, 12) }),
      want: "t @0x0: f: its data end at 9007199254741504, beyond 2^53",
    },
    { name: "mtime", tar: of({ mtime: "now" }), want: 't @0x0: f: mtime is "now", want an octal number' },
    {
      name: "mtime of 54 bits",
      tar: of({ mtime: base256(2n ** 60n, 12) }),
      want: "t @0x0: f: mtime is 1152921504606847000, want less than 2^53",
    },
    {
      name: "device major",
      tar: of({ type: "3", major: "a" }),
      want: 't @0x0: f: device major is "a", want an octal number',
    },
    {
      name: "device major of 13 bits",
      tar: of({ type: "3", major: "10000" }),
      want: "t @0x0: f: device major is 4096, want 0 to 4095",
    },
    {
      name: "device minor of 21 bits",
      tar: of({ type: "4", minor: "4000000" }),
      want: "t @0x0: f: device minor is 1048576, want 0 to 1048575",
    },
    {
      name: "M",
      tar: of({ name: "part", type: "M", magic: "gnu" }),
      want: "t @0x0: part: goes on from another volume of the archive (type M)",
    },
    {
      name: "N",
      tar: of({ type: "N", magic: "gnu" }),
      want: "t @0x0: f: is a list of long names as GNU tar wrote it before 1990 (type N)",
    },
    {
      name: "a name that could deceive",
      tar: of({ name: "a\x1b[2J", uid: "x" }),
      want: 't @0x0: a\\x1b[2J: uid is "x", want an octal number',
    },
  ]);
});

describe("extension headers", () => {
  const big = "x".repeat(2 ** 20);
  table([
    {
      name: "pax beyond 1 MiB",
      tar: own(`${big}x`),
      want: 't @0x0: extension header of type x has size "00004000001", want 0 to 1048576 bytes',
    },
    {
      name: "L beyond 1 MiB",
      tar: join(long("L", big), entry()),
      want: 't @0x0: extension header of type L has size "00004000001", want 0 to 1048576 bytes',
    },
    {
      name: "size of a pax header",
      tar: of({ type: "x", size: "abc" }),
      want: 't @0x0: extension header of type x has size "abc", want 0 to 1048576 bytes',
    },
    {
      name: "nothing after it",
      tar: pax({ uid: "1" }),
      want: "t @0x0: no entry follows this extension header",
    },
    {
      name: "the end marker after it",
      tar: join(entry(), long("L", "l"), END),
      want: "t @0x200: no entry follows this extension header",
    },
    {
      name: "cut off",
      tar: join(entry(), pax({ uid: "1" }).subarray(0, 517)),
      want: "t @0x200: the tar ends in this extension header of type x, at byte 1029",
    },
    {
      name: "no length",
      tar: own("uid=5\n"),
      want: 't @0x200: pax record "uid=5": it does not begin with its length and a space',
    },
    {
      name: "no length in the second",
      tar: own("9 uid=55\n uid=5\n"),
      want: 't @0x209: pax record " uid=5": it does not begin with its length and a space',
    },
    {
      name: "a long length",
      tar: own("00000000009 uid=5\n"),
      want: 't @0x200: pax record "00000000009 uid=5": it does not begin with its length and a space',
    },
    {
      name: "zeros at the end",
      tar: own("8 uid=5\n\0\0\0"),
      want: 't @0x208: pax record "\\x00\\x00\\x00": it does not begin with its length and a space',
    },
    {
      name: "length beyond the header",
      tar: own("99 uid=5\n"),
      want: 't @0x200: pax record "99 uid=5": its 99 bytes are more than the 9 left',
    },
    {
      name: "length too short",
      tar: own("7 uid=5\n"),
      want: 't @0x200: pax record "7 uid=5": no newline ends its 7 bytes',
    },
    {
      name: "length 0",
      tar: own("0 uid=5\n"),
      want: 't @0x200: pax record "0 uid=5": no newline ends its 0 bytes',
    },
    {
      name: "length of itself",
      tar: own("2 \n"),
      want: 't @0x200: pax record "2 ": no newline ends its 2 bytes',
    },
    { name: "no =", tar: own("6 uid\n"), want: 't @0x200: pax record "6 uid": no key and = in it' },
    { name: "no key", tar: own("5 =5\n"), want: 't @0x200: pax record "5 =5": no key and = in it' },
    {
      name: "= in the next record",
      tar: own("6 uid\n8 uid=5\n"),
      want: 't @0x200: pax record "6 uid": no key and = in it',
    },
    {
      name: "only the beginning of a long one is shown",
      tar: own(`9${"9".repeat(60)} x=y\n`),
      want: `t @0x200: pax record "${"9".repeat(40)}": it does not begin with its length and a space`,
    },
    { name: "uid", tar: own({ uid: "0x5" }), want: 't @0x0: f: pax uid is "0x5", want a number' },
    { name: "negative gid", tar: own({ gid: "-1" }), want: 't @0x0: f: pax gid is "-1", want a number' },
    {
      name: "uid of 33 bits",
      tar: own({ uid: "4294967296" }),
      want: "t @0x0: f: uid is 4294967296, want 0 to 4294967295",
    },
    { name: "size", tar: own({ size: "1.5" }), want: 't @0x0: f: pax size is "1.5", want a number' },
    {
      name: "size of 54 bits",
      tar: own({ size: "9007199254740992" }),
      want: "t @0x0: f: size is 9007199254740992, want 0 to 9007199254740991",
    },
    { name: "mtime", tar: own({ mtime: "1e9" }), want: 't @0x0: f: pax mtime is "1e9", want seconds' },
    {
      name: "mtime without digits",
      tar: own({ mtime: "-.5" }),
      want: 't @0x0: f: pax mtime is "-.5", want seconds',
    },
    {
      name: "mtime with two points",
      tar: own({ mtime: "1.2.3" }),
      want: 't @0x0: f: pax mtime is "1.2.3", want seconds',
    },
    {
      name: "mtime of 54 bits",
      tar: own({ mtime: "-99999999999999999" }),
      want: "t @0x0: f: mtime is -100000000000000020, want less than 2^53",
    },
    { name: "NUL in a path", tar: own({ path: "a\0b" }), want: "t @0x0: a\\x00b: a NUL in its pax path" },
    {
      name: "NUL in a linkpath",
      tar: own({ linkpath: "a\0b" }, { type: "2" }),
      want: "t @0x0: f: a NUL in its pax linkpath",
    },
    {
      name: "xattr without a name",
      tar: own({ "SCHILY.xattr.": "x" }),
      want: 't @0x200: pax record "19 SCHILY.xattr.=x": no name for an extended attribute',
    },
    {
      name: "xattr with NUL in its name",
      tar: own({ "LIBARCHIVE.xattr.a%00": "x" }),
      want: 't @0x200: pax record "27 LIBARCHIVE.xattr.a%00=x": no name for an extended attribute',
    },
    {
      name: "xattr that is not base64",
      tar: own({ "LIBARCHIVE.xattr.user.a": "a b" }),
      want: 't @0x200: pax record "31 LIBARCHIVE.xattr.user.a=a b": its value is not base64',
    },
    {
      name: "a sparse map in a global header",
      tar: join(pax({ "GNU.sparse.map": "0,1" }, "g"), entry()),
      want: 't @0x200: pax record "22 GNU.sparse.map=0,1": it cannot be in a global header',
    },
    {
      name: "global headers beyond 1 MiB together",
      tar: join(
        ...["a", "b"].map((name) => pax({ [`SCHILY.xattr.user.${name}`]: "x".repeat(600_000) }, "g")),
      ),
      want: "t @0x92c00: global headers hold 1200012 bytes, more than 1048576",
    },
  ]);
});

describe("sparse files", () => {
  const map = (records: Record<string, string>, header: Header = { data: "abc" }) =>
    own(
      { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "100", ...records },
      header,
    );
  const listed = (value: string, size = "100") =>
    own({ "GNU.sparse.size": size, "GNU.sparse.map": value }, { data: "abc" });
  const halves = (...pairs: readonly (readonly [string, string])[]) =>
    own(record("GNU.sparse.size", "100") + pairs.map(([k, v]) => record(`GNU.sparse.${k}`, v)).join(""), {
      data: "abc",
    });
  const old = (...patch: [number, string | Uint8Array][]) =>
    of({ type: "S", magic: "gnu", data: "abc", patch: [[483, "00000000144"], ...patch] });
  table([
    {
      name: "an unknown version",
      tar: own({ "GNU.sparse.major": "2", "GNU.sparse.minor": "0" }),
      want: 't @0x0: f: sparse format "2.0" is unknown',
    },
    {
      name: "half a version",
      tar: own({ "GNU.sparse.major": "1" }),
      want: 't @0x0: f: sparse format "1." is unknown',
    },
    {
      name: "no size",
      tar: own({ "GNU.sparse.map": "0,1" }),
      want: "t @0x0: f: a sparse map, but no GNU.sparse.realsize or GNU.sparse.size",
    },
    { name: "size", tar: listed("0,1", "x"), want: 't @0x0: f: pax sparse size is "x", want a number' },
    {
      name: "size of 54 bits",
      tar: listed("0,1", "9007199254740992"),
      want: "t @0x0: f: sparse size is 9007199254740992, want 0 to 9007199254740991",
    },
    {
      name: "no map",
      tar: own({ "GNU.sparse.size": "100" }, { data: "abc" }),
      want: "t @0x0: f: a sparse size, but no sparse map",
    },
    {
      name: "pieces that overlap",
      tar: listed("0,2,1,1"),
      want: "t @0x0: f: sparse piece of 1 bytes at 1 begins before the end of the last one, 2",
    },
    {
      name: "pieces that go backwards",
      tar: listed("9,2,0,1"),
      want: "t @0x0: f: sparse piece of 1 bytes at 0 begins before the end of the last one, 11",
    },
    {
      name: "beyond the file",
      tar: listed("98,3"),
      want: "t @0x0: f: sparse piece of 3 bytes at 98 ends beyond the file's 100 bytes",
    },
    {
      name: "beyond what is stored",
      tar: listed("0,2,5,2"),
      want: "t @0x0: f: sparse piece of 2 bytes at 5 needs more than the 3 bytes stored",
    },
    {
      name: "an odd list",
      tar: listed("0,2,5"),
      want: "t @0x0: f: sparse map has an offset without a length",
    },
    { name: "a list with a hole", tar: listed("0,,5"), want: 't @0x0: f: sparse map has "", want a number' },
    {
      name: "records: a length first",
      tar: halves(["numbytes", "1"]),
      want: 't @0x217: pax record "25 GNU.sparse.numbytes=1": GNU.sparse.offset and GNU.sparse.numbytes do not take turns',
    },
    {
      name: "records: two offsets",
      tar: halves(["offset", "1"], ["offset", "2"]),
      want: 't @0x22e: pax record "23 GNU.sparse.offset=2": GNU.sparse.offset and GNU.sparse.numbytes do not take turns',
    },
    {
      name: "records: an offset last",
      tar: halves(["offset", "1"]),
      want: "t @0x0: f: sparse map has an offset without a length",
    },
    {
      name: "records: no number",
      tar: halves(["offset", "1"], ["numbytes", "x"]),
      want: 't @0x0: f: sparse map has "x", want a number',
    },
    {
      name: "map: no number",
      tar: map({}, { data: "1\n0\nx\n" }),
      want: 't @0x0: f: sparse map has "x", want a number',
    },
    {
      name: "map: no end",
      tar: map({}, { data: "2\n0\n1\n" }),
      want: "t @0x0: f: sparse map does not end within 6 bytes",
    },
    {
      name: "map: too long",
      tar: map({}, { data: `9999999\n${"1\n".repeat(2 ** 21)}` }),
      want: "t @0x0: f: sparse map does not end within 4194304 bytes",
    },
    {
      name: "map: nothing stored after it",
      tar: map({}, { data: "1\n0\n1\n" }),
      want: "t @0x0: f: sparse piece of 1 bytes at 0 needs more than the 0 bytes stored",
    },
    {
      name: "map: cut off",
      tar: map({}, { data: "9".repeat(600) }).subarray(0, 2000),
      want: "t @0x0: f: the tar ends in its sparse map, at byte 2000",
    },
    {
      name: "S without a magic",
      tar: of({ type: "S", magic: "" }),
      want: "t @0x0: f: type S, but neither GNU tar's magic nor star's",
    },
    {
      name: "S without star's magic",
      tar: of({ type: "S" }),
      want: "t @0x0: f: type S, but neither GNU tar's magic nor star's",
    },
    {
      name: "S: size",
      tar: old([483, "x"]),
      want: 't @0x0: f: sparse size is "x0000000144", want an octal number',
    },
    {
      name: "S: negative size",
      tar: old([483, base256(-5n, 12)]),
      want: "t @0x0: f: sparse size is -5, want 0 to 9007199254740991",
    },
    {
      name: "S: no number",
      tar: old([386, "zz"], [398, "1"]),
      want: 't @0x0: f: sparse map has "zz" and "1", want octal numbers',
    },
    {
      name: "S: a negative piece",
      tar: old([386, base256(-5n, 12)], [398, "1"]),
      want: "t @0x0: f: sparse piece of 1 bytes at -5: negative",
    },
    {
      name: "S: beyond the file",
      tar: old([386, "144"], [398, "1"]),
      want: "t @0x0: f: sparse piece of 1 bytes at 100 ends beyond the file's 100 bytes",
    },
    {
      name: "S: cut off in the map",
      tar: old([482, "\x01"]).subarray(0, 1000),
      want: "t @0x0: f: the tar ends in its sparse map, at byte 1000",
    },
    {
      name: "S: a map without end",
      tar: join(entry({ type: "S", magic: "gnu", patch: [[482, "\x01"]] }), new Uint8Array(2 ** 23).fill(1)),
      want: 't @0x0: f: sparse map has "\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01" and "\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01\\x01", want octal numbers',
    },
  ]);
});

describe("tars that end in data", () => {
  const tar = join(pax({ uid: "1" }), entry({ name: "dir/f", data: "x".repeat(1000) }));
  table([
    {
      name: "one byte short",
      tar: tar.subarray(0, 1536 + 999),
      want: "t @0x0: dir/f: the tar ends in its data, at byte 2535",
    },
    {
      name: "before the data",
      tar: tar.subarray(0, 1536),
      want: "t @0x0: dir/f: the tar ends in its data, at byte 1536",
    },
    {
      name: "data that are skipped",
      tar: entry({ type: "D", name: "d", size: 5 }).subarray(0, 512),
      want: "t @0x0: d: the tar ends in its data, at byte 512",
    },
    {
      name: "sparse data",
      tar: entry({
        type: "S",
        magic: "gnu",
        size: 1,
        patch: [
          [386, "2"],
          [398, "1"],
          [483, "3"],
        ],
      }).subarray(0, 512),
      want: "t @0x0: f: the tar ends in its data, at byte 512",
    },
  ]);
});
