import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EntryHeader, Xattr } from "../../src/tar/entry.ts";
import { encodeEntry } from "../../src/tar/write-entry.ts";
import { paxRecord, paxTime, xattrRecords } from "../../src/tar/write-pax.ts";
import { TarWriter } from "../../src/tar/write-tar.ts";
import { readAll } from "./emit.ts";

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

describe("xattrRecords", () => {
  const recordsOf = (name: string, value = "v"): { key: string; value: string }[] => {
    let rest = latin(xattrRecords({ name: Buffer.from(name, "latin1"), value: Buffer.from(value) }));
    const all: { key: string; value: string }[] = [];
    while (rest !== "") {
      const length = Number.parseInt(rest, 10);
      const { key, value: said } = readRecord(Buffer.from(rest.slice(0, length), "latin1"));
      all.push({ key, value: said });
      rest = rest.slice(length);
    }
    return all;
  };
  /** What GNU tar makes of a key (src/xheader.c, xattr_decode_keyword). */
  const gnu = (key: string) => key.replaceAll(/%3D|%25/g, (code) => (code === "%3D" ? "=" : "%"));
  /** What libarchive does (archive_read_support_format_tar.c, url_decode). */
  const libarchive = (key: string) =>
    key.replaceAll(/%([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const names = fc
    .array(fc.constantFrom(..."%=352D5a\n\u00ff".split("")), { maxLength: 12 })
    .map((letters) => `user.${letters.join("")}`);

  it("come back from GNU tar, and from bsdtar where they differ from it", () => {
    fc.assert(
      fc.property(names, (name) => {
        const [schily, beside] = recordsOf(name);
        expect(gnu(schily?.key ?? "")).toBe(`SCHILY.xattr.${name}`);
        if (beside === undefined) expect(schily?.key).toBe(`SCHILY.xattr.${name}`);
        else {
          expect(libarchive(beside.key)).toBe(`LIBARCHIVE.xattr.${name}`);
          expect(Buffer.from(beside.value, "base64").toString()).toBe("v");
        }
      }),
    );
  });

  it("come back from our own reader, with any other attribute beside them", async () => {
    const several = fc.uniqueArray(fc.record({ name: names, value: fc.uint8Array({ maxLength: 3 }) }), {
      maxLength: 4,
      selector: ({ name }) => name,
    });
    await fc.assert(
      fc.asyncProperty(several, async (all) => {
        const xattrs = all.map(({ name, value }) => ({ name: bytes(name), value }));
        const pieces: Uint8Array[] = [];
        const writer = new TarWriter(async (piece) => {
          pieces.push(piece);
        });
        await writer.add({ ...fileEntry(0), xattrs }, []);
        await writer.finish();
        const [read] = readAll(Buffer.concat(pieces));
        const shown = (of: readonly Xattr[] | undefined) =>
          of?.map(({ name, value }) => [latin(name), latin(value)]).sort();
        expect(shown(read?.xattrs)).toEqual(shown(xattrs));
      }),
      { numRuns: 300 },
    );
  });

  it("are one when nobody could misread it", () =>
    expect(recordsOf("user.50%off")).toEqual([{ key: "SCHILY.xattr.user.50%off", value: "v" }]));
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

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

const fileEntry = (size: number): EntryHeader => ({
  kind: "file",
  path: bytes("x"),
  link: bytes(""),
  ...{ mode: 0o600, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0, rdev: 0, size },
  xattrs: [],
});

describe("the size of a file", () => {
  const GiB = 1024 ** 3;
  it.each([
    [8 * GiB - 1, ""],
    [8 * GiB, `19 size=${8 * GiB}\n`],
  ])("of %d bytes", (size, want) => expect(latin(encodeEntry(fileEntry(size)).records)).toBe(want));
});

describe("TarWriter", () => {
  it("writes what the reader reads back", async () => {
    const any = fc.record({
      kind: fc.constantFrom("hardlink", "symlink", "char", "block", "directory", "fifo", "file"),
      path: fc.string({ unit: fc.constantFrom(..."ab/\u00ff\u0001="), minLength: 1, maxLength: 130 }),
      link: fc.string({ unit: fc.constantFrom(..."ab/\u00ff%"), minLength: 1, maxLength: 130 }),
      mode: fc.nat(0o7777),
      uid: fc.nat(2 ** 32 - 1),
      gid: fc.nat(2 ** 32 - 1),
      mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
      mtimeNsec: fc.nat(999_999_999),
      rdev: fc.nat(2 ** 32 - 1),
      size: fc.nat(2000),
      xattrs: fc.uniqueArray(
        fc.record({
          name: fc.string({ unit: fc.constantFrom(..."user.\u00ff"), minLength: 1, maxLength: 20 }),
          value: fc.uint8Array({ maxLength: 20 }),
        }),
        { maxLength: 3, selector: ({ name }) => name },
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(any, { maxLength: 5 }), async (entries) => {
        const wanted = entries.map((e): EntryHeader => {
          const isLink = e.kind === "hardlink" || e.kind === "symlink";
          const path = `x${e.path.replace(/\/+$/, "")}${e.kind === "directory" ? "/" : ""}`;
          return {
            ...e,
            path: bytes(path),
            link: bytes(isLink ? e.link : ""),
            rdev: e.kind === "char" || e.kind === "block" ? e.rdev : 0,
            size: e.kind === "file" ? e.size : 0,
            xattrs: e.xattrs.map(({ name, value }) => ({ name: bytes(name), value })),
          };
        });
        const pieces: Uint8Array[] = [];
        const writer = new TarWriter(async (piece) => {
          pieces.push(piece);
        });
        for (const entry of wanted) await writer.add(entry, [new Uint8Array(entry.size).fill(0x78)]);
        await writer.finish();
        const read = readAll(Buffer.concat(pieces)).map(({ at, dataAt, sparse, ...entry }) => entry);
        expect(read).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  it("waits for a slow `write`, also between entries without data", async () => {
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
