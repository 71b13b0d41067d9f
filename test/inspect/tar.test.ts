import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { paxRecord, paxTime, xattrKey } from "../../src/inspect/pax.ts";
import { tarEntry } from "../../src/inspect/tar-entry.ts";
import { TarWriter } from "../../src/inspect/tar-writer.ts";
import { type FileSystem, newAttr } from "../../src/vfs/file-system.ts";

const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** As POSIX says to read one: the number, a space, and so many bytes in all. */
function readRecord(bytes: Uint8Array): { length: number; key: string; value: string } {
  const text = latin(bytes);
  const [, length, key, value] = /^(\d+) ([^=]*)=(.*)\n$/s.exec(text) ?? [];
  return { length: Number(length), key, value };
}

describe("paxRecord", () => {
  it("counts its own digits, whatever bytes it holds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1100 }), (value) => {
        const record = paxRecord("k", value);
        expect(readRecord(record)).toEqual({ length: record.length, key: "k", value: latin(value) });
      }),
    );
  });

  const edges = [5, 6, 7, 93, 94, 95, 96, 97, 992, 993, 994, 995].map((n) => ({ n }));
  it.each(edges)("of $n bytes", ({ n }) => {
    const record = paxRecord("k", "v".repeat(n));
    expect(readRecord(record).length).toBe(record.length);
  });
});

describe("xattrKey", () => {
  /** What GNU tar makes of it (src/xheader.c, xattr_decode_keyword). */
  const gnu = (key: string) => key.replaceAll(/%3D|%25/g, (code) => (code === "%3D" ? "=" : "%"));

  it("comes back from GNU tar", () => {
    const bytes = fc.constantFrom(..."%=352D5a\u00ff".split(""));
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 12 }), (letters) => {
        const name = letters.join("");
        const key = latin(xattrKey(Buffer.from(name, "latin1")));
        expect(gnu(key)).toBe(`SCHILY.xattr.${name}`);
        expect(key).not.toContain("=");
      }),
    );
  });

  it("is as it is when nobody could misread it", () =>
    expect(latin(xattrKey(Buffer.from("user.50%off")))).toBe("SCHILY.xattr.user.50%off"));
});

describe("paxTime", () => {
  const cases = [
    [0, 0, "0"],
    [-5, 0, "-5"],
    [-1, 500_000_000, "-0.5"],
    [-2, 999_999_999, "-1.000000001"],
    [1, 20, "1.00000002"],
    [2 ** 40, 100_000_000, "1099511627776.1"],
  ] as const;
  it.each(cases)("%d s and %d ns is %s", (s, ns, want) => expect(paxTime(s, ns)).toBe(want));
});

/** A file system without xattrs. */
const none = { listxattr: () => 0 } as unknown as FileSystem;
const SLASH_X = Buffer.from("/x");
const fileEntry = (size: number) => {
  const attr = { ...newAttr(), mode: 0o100600, size };
  const entry = tarEntry(
    none,
    { node: 2, parent: 1, path: SLASH_X, name: SLASH_X.subarray(1), attr },
    undefined,
    false,
  );
  if (entry === undefined) throw new Error("a file has an entry");
  return entry;
};

describe("the size of a file", () => {
  const GiB = 1024 ** 3;
  it.each([
    [8 * GiB - 1, ""],
    [8 * GiB, `19 size=${8 * GiB}\n`],
  ])("of %d bytes", (size, want) => expect(latin(fileEntry(size).records)).toBe(want));
});

describe("TarWriter", () => {
  it("does not run ahead of whoever writes slowly, not with entries without data either", async () => {
    let written = 0;
    let most = 0;
    let added = 0;
    const writer = new TarWriter(async (bytes) => {
      await new Promise(setImmediate);
      written += bytes.length;
      most = Math.max(most, added * 512 - written);
    });
    for (; added < 6000; added++) await writer.add(fileEntry(0), []);
    await writer.finish();
    expect(written).toBe(6000 * 512 + 1024);
    expect(most).toBeLessThanOrEqual(1024 * 1024 + 512);
    expect(most).toBeGreaterThan(512 * 1024);
  });

  it("tells what went wrong with writing, in the middle of a file and at the end", async () => {
    const full = async () => {
      throw new Error("disk full");
    };
    const middle = new TarWriter(full);
    const body = function* () {
      for (let i = 0; i < 40; i++) yield new Uint8Array(256 * 1024);
    };
    await expect(middle.add(fileEntry(40 * 256 * 1024), body())).rejects.toThrow("disk full");
    await middle.abort();
    const end = new TarWriter(full);
    await expect(end.finish()).rejects.toThrow("disk full");
    await end.abort();
  });

  it("tells what went wrong with reading, and stops", async () => {
    const pieces: Uint8Array[] = [];
    const writer = new TarWriter(async (bytes) => {
      pieces.push(bytes);
    });
    const body = function* () {
      yield new Uint8Array(1000);
      throw new Error("blob lost");
    };
    await expect(writer.add(fileEntry(2000), body())).rejects.toThrow("blob lost");
    await writer.abort();
    const count = pieces.length;
    await new Promise(setImmediate);
    expect(pieces.length).toBe(count);
  });
});
