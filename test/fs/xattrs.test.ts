import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EINVAL, ENODATA, EOPNOTSUPP, ERANGE } from "../../src/bytes/errno.ts";
import type { ImageFileSystem } from "../../src/fs/image-file-system.ts";
import { fixture, nodeAt, pathOf, serveFixture } from "../support/image.ts";

/** Inline only, inline and shared, long prefixes, security and trusted names. */
const FIXTURES: [name: string, inodes: number][] = [
  ["12-merged", 1],
  ["20-erofs-default", 5],
  ["24-erofs-tar-index", 4],
  ["25-erofs-xattr-prefix", 5],
];

const CANARY = 0xa5;

function get(fs: ImageFileSystem, node: number, name: string | Uint8Array, room: number) {
  const bytes = Buffer.from(name);
  const out = new Uint8Array(room + 2).fill(CANARY);
  const length = fs.getxattr(node, Uint8Array.from([0, ...bytes, 0]), 1, bytes.length, out, 1, room);
  return { length, out };
}

/** What xattr_resolve_name of the kernel says, with the handlers that EROFS has. */
function absent(name: Buffer): number {
  const text = name.toString("latin1");
  if (["user.", "trusted.", "security."].includes(text)) return -EINVAL;
  if (/^(user|trusted|security)\./.test(text)) return -ENODATA;
  return /^system\.posix_acl_(access|default)$/.test(text) ? -ENODATA : -EOPNOTSUPP;
}

function names(fs: ImageFileSystem, node: number, privileged: boolean): string[] {
  const size = fs.listxattr(node, new Uint8Array(0), 0, 0, privileged);
  const out = new Uint8Array(size);
  expect(fs.listxattr(node, out, 0, size, privileged)).toBe(size);
  return Buffer.from(out).toString().split("\0").slice(0, -1);
}

describe.each(FIXTURES)("%s", (name, inodes) => {
  const { fs } = serveFixture(name);
  const nodes = fixture(name)
    .entries.filter((e) => e.xattrs !== undefined)
    .map((e) => ({ node: nodeAt(fs, pathOf(e)), xattrs: Object.entries(e.xattrs ?? {}) }));
  const each = nodes.flatMap(({ node, xattrs }) =>
    xattrs.map(([key, value]) => ({ node, key, value: Buffer.from(value, "base64") })),
  );

  it("values come whole, or not at all when there is no room", () => {
    expect(nodes.length).toBe(inodes);
    fc.assert(
      fc.property(fc.constantFrom(...each), fc.nat(70), ({ node, key, value }, room) => {
        const { length, out } = get(fs, node, key, room);
        if (room === 0) expect(length).toBe(value.length);
        else if (room < value.length) expect(length).toBe(-ERANGE);
        else {
          expect(length).toBe(value.length);
          expect(Buffer.compare(out.subarray(1, 1 + length), value)).toBe(0);
        }
        const used = length > 0 && room > 0 ? length : 0;
        expect([...out.subarray(1 + used)].every((b) => b === CANARY)).toBe(true);
        expect(out[0]).toBe(CANARY);
      }),
      { numRuns: 1_000 },
    );
  });

  it("lists come whole, or not at all when there is no room", () => {
    fc.assert(
      fc.property(fc.constantFrom(...nodes), fc.nat(200), ({ node, xattrs }, room) => {
        const want = xattrs.reduce((sum, [key]) => sum + key.length + 1, 0);
        const out = new Uint8Array(room + 2).fill(CANARY);
        const length = fs.listxattr(node, out, 1, room, true);
        expect(length).toBe(room === 0 || room >= want ? want : -ERANGE);
        expect(out[0]).toBe(CANARY);
        expect(out[room + 1]).toBe(CANARY);
      }),
      { numRuns: 1_000 },
    );
  });

  it("names that are not there answer ENODATA, or what the kernel says of such a name", () => {
    const near = fc
      .tuple(fc.constantFrom(...each), fc.nat(80), fc.integer({ min: 1, max: 255 }))
      .map(([x, at, by]) => {
        const other = Buffer.from(x.key);
        other[at % other.length] += by;
        return other;
      });
    const cut = fc
      .tuple(fc.constantFrom(...each), fc.nat(80))
      .map(([x, at]) => Buffer.from(x.key).subarray(0, at % x.key.length));
    const any = fc.uint8Array({ maxLength: 255 }).map((b) => Buffer.from(b));
    fc.assert(
      fc.property(fc.constantFrom(...nodes), fc.oneof(near, cut, any), ({ node, xattrs }, key) => {
        const want = xattrs.find(([k]) => Buffer.from(k).equals(key))?.[1];
        expect(get(fs, node, key, 0).length).toBe(
          want === undefined ? absent(key) : Buffer.from(want, "base64").length,
        );
      }),
      { numRuns: 1_000 },
    );
  });

  it("hides trusted names from lists of the unprivileged, and nothing else", () => {
    for (const { node, xattrs } of nodes) {
      const all = xattrs.map(([key]) => key);
      expect(names(fs, node, true).sort()).toEqual([...all].sort());
      expect(names(fs, node, false).sort()).toEqual(all.filter((k) => !k.startsWith("trusted.")).sort());
    }
  });
});

describe("traits", () => {
  it.each([
    ["01-basic", { hasXattrs: false, hasAcls: false }],
    ["12-merged", { hasXattrs: true, hasAcls: false }],
    ["20-erofs-default", { hasXattrs: true, hasAcls: false }],
  ])("%s", (name, want) => expect(serveFixture(name).fs.traits).toEqual(want));

  it("a file without xattrs has an empty list, and answers as any other", () => {
    const { fs } = serveFixture("01-basic");
    const node = nodeAt(fs, "/etc/one");
    expect(fs.listxattr(node, new Uint8Array(0), 0, 0, true)).toBe(0);
    for (const name of [
      ...["user.x", "user.", "trusted.x", "trusted.", "security.x", "security.", "system.posix_acl_access"],
      ...[
        "system.posix_acl_default",
        "system.posix_acl_accessX",
        "system.x",
        "lustre.lov",
        "com.apple.x",
        "x",
        "",
      ],
    ])
      expect(get(fs, node, name, 100).length, name).toBe(absent(Buffer.from(name)));
  });
});
