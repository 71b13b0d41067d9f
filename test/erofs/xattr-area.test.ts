import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Image } from "../../src/erofs/image.ts";
import { readXattrs, xattrArea } from "../../src/erofs/xattr-area.ts";
import { openImage } from "../../src/fs/open-image.ts";
import { Crafted, DIRECTORY, HEAD, ROOT_AT } from "./crafted.ts";

const fail = (problem: string): never => {
  throw new Error(problem);
};

/** An image whose root, an inode of 64 bytes, has this xattr area. */
function imageWith(area: Uint8Array): Image {
  const crafted = new Crafted(80);
  const { bytes, v } = crafted;
  const size = crafted.directory(79, ROOT_AT / 32, ROOT_AT / 32, []);
  crafted.inode(ROOT_AT, HEAD.PLAIN, DIRECTORY, size, 79, area.length === 0 ? 0 : (area.length - 12) / 4 + 1);
  v.setUint32(ROOT_AT + 44, 2, true);
  bytes.set(area, ROOT_AT + 64);
  const { path, places } = crafted.save();
  return new Image(openImage(path, places).handle);
}

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));
const rest = fc.uint8Array({ minLength: 1, maxLength: 60 }).filter((b) => !b.includes(0));
const name = fc.oneof(
  fc
    .tuple(fc.constantFrom("user.", "trusted.", "security."), rest)
    .map(([prefix, more]) => Uint8Array.from([...bytes(prefix), ...more])),
  fc.constantFrom("system.posix_acl_access", "system.posix_acl_default").map(bytes),
);
const xattrs = fc.uniqueArray(fc.record({ name, value: fc.uint8Array({ maxLength: 200 }) }), {
  selector: (x) => Buffer.from(x.name).toString("latin1"),
  maxLength: 20,
});

describe("the xattr area of an inode", () => {
  it("reads as what was written, sorted by name", () => {
    fc.assert(
      fc.property(xattrs, (list) => {
        const image = imageWith(xattrArea(list, fail));
        const sorted = [...list].sort((a, b) => Buffer.compare(a.name, b.name));
        expect(readXattrs(image, ROOT_AT)).toEqual(sorted);
      }),
      { numRuns: 100 },
    );
  });

  const value = (length: number) => new Uint8Array(length);
  const cases: [what: string, list: [name: string, value: Uint8Array][], want: string][] = [
    [
      "a name of 256 bytes",
      [[`user.${"n".repeat(251)}`, value(0)]],
      `extended attribute "user.${"n".repeat(251)}": its name has 256 bytes, want at most 255`,
    ],
    [
      "a value of 64 KiB",
      [["user.a", value(65_536)]],
      'extended attribute "user.a": its value has 65536 bytes, want at most 65535',
    ],
    ["no namespace", [["a", value(0)]], 'extended attribute "a": EROFS has no such namespace'],
    ["nothing behind it", [["user.", value(0)]], 'extended attribute "user.": EROFS has no such namespace'],
    [
      "more than an inode can count",
      ["a", "b", "c", "d", "e"].map((n) => [`user.${n}`, value(60_000)]),
      "extended attributes of 300052 bytes, want at most 262148",
    ],
  ];
  it.each(cases)("is not written for %s", (_, list, want) => {
    const named = list.map(([n, v]) => ({ name: bytes(n), value: v }));
    expect(() => xattrArea(named, fail)).toThrow(want);
  });
});
