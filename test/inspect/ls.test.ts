import { closeSync, openSync, readSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { showName } from "../../src/bytes/name.ts";
import { modeText, timeText } from "../../src/inspect/attr.ts";
import type { EntryRecord } from "../../src/inspect/describe.ts";
import { listTree } from "../../src/inspect/ls.ts";
import { newAttr } from "../../src/vfs/file-system.ts";
import { type Expected, fixture, fixtureNames, nodeAt, pathOf, serveFixture } from "../support/image.ts";
import { sorted } from "../support/tree.ts";

function ls(name: string, path = "/", json = false): string[] {
  let text = "";
  listTree(fixture(name).path, path, json, (piece) => {
    text += piece;
  });
  return text.split("\n").slice(0, -1);
}

const describeAll = (name: string): EntryRecord[] =>
  ls(name, "/", true).map((line) => JSON.parse(line) as EntryRecord);

function bytesAt(path: string, at: number, length: number): Buffer {
  const fd = openSync(path, "r");
  const out = Buffer.alloc(length);
  const n = readSync(fd, out, 0, length, at);
  closeSync(fd);
  return out.subarray(0, n);
}

describe("ls --json", () => {
  const names = fixtureNames.filter((name) => fixture(name).entries.length > 0);

  it.each(names)("says of %s what the kernel shows, without its blobs", (name) => {
    const found = describeAll(name).map(({ type, slot, blob_id, offset, ...rest }) => rest as Expected);
    const want = fixture(name).entries.map(({ xattrs, sha256, ...rest }) => rest);
    expect(sorted(found)).toEqual(sorted(want));
  });

  it.each(names)("says where each file of %s has its data", (name) => {
    const { path, devices } = fixture(name);
    const { fs } = serveFixture(name);
    let files = 0;
    for (const entry of describeAll(name)) {
      if (entry.type !== "file") expect(entry.offset).toBeUndefined();
      if (entry.offset === undefined || entry.slot === undefined) continue;
      const file = entry.slot < 0 ? path : devices[entry.slot];
      const first = new Uint8Array(Math.min(entry.size, 512));
      fs.read(nodeAt(fs, pathOf(entry as Expected)), 0, first.length, first, 0);
      if (first.every((byte) => byte === 0)) continue; // a hole is in front of what was found
      expect(bytesAt(file, entry.offset, first.length), entry.path).toEqual(Buffer.from(first));
      files++;
    }
    expect(files > 0).toBe(name !== "08-nodata");
  });
});

describe("ls", () => {
  it("begins where it is told to", () => {
    expect(ls("01-basic", "/bin")).toEqual([
      "drwxr-xr-x 0:0              76 2023-11-14T22:13:20Z - /bin",
      "-rwsr-xr-x 1000:1001        18 2023-11-14T22:13:20Z 0:d78eabf83678@1536 /bin/busybox",
      "-rwsr-xr-x 1000:1001        18 2023-11-14T22:13:20Z 0:d78eabf83678@1536 /bin/dash",
      "-rwsr-xr-x 1000:1001        18 2023-11-14T22:13:20Z 0:d78eabf83678@1536 /bin/sh",
    ]);
    expect(ls("01-basic", "lnkabs")).toEqual([
      "lrwxrwxrwx 0:0               7 2023-11-14T22:13:20Z - /lnkabs -> /bin/sh",
    ]);
    expect(ls("01-basic", "./dev//sda1/")).toEqual([
      "brw-rw---- 0:6             8,1 2023-11-14T22:13:20Z - /dev/sda1",
    ]);
  });

  it.each(["nope", "/bin/nope", "/lnk/x", "/bin/../lnk"])("of %s is an error", (path) => {
    expect(() => ls("01-basic", path)).toThrow(`${path}: no such file in the image`);
  });

  it("shows names that are not UTF-8, and what a terminal would obey, escaped", () => {
    const name = Uint8Array.of(0x63, 0x61, 0x66, 0xe9, 0x2d, 0xff);
    expect(ls("20-erofs-default").some((line) => line.endsWith(` /${showName(name)}`))).toBe(true);
    expect(describeAll("20-erofs-default")).toContainEqual(
      expect.objectContaining({ path_base64: Buffer.from([0x2f, ...name]).toString("base64") }),
    );
  });

  it("has no end to the levels it goes down", () => expect(ls("24-erofs-tar-index").length).toBe(29));
});

describe("modeText", () => {
  const cases = [
    [0o100644, "-rw-r--r--"],
    [0o107777, "-rwsrwsrwt"],
    [0o107000, "---S--S--T"],
    [0o041777, "drwxrwxrwt"],
    [0o140600, "srw-------"],
    [0o010000, "p---------"],
  ] as const;
  it.each(cases)("%o is %s", (mode, want) => expect(modeText({ ...newAttr(), mode })).toBe(want));
});

describe("timeText", () => {
  const cases = [
    [0, 0, "1970-01-01T00:00:00Z"],
    [-2, 500_000_000, "1969-12-31T23:59:58.5Z"],
    [1_700_000_000, 1, "2023-11-14T22:13:20.000000001Z"],
    [2 ** 50, 250_000_000, "@1125899906842624.25"],
  ] as const;
  it.each(cases)("%d s and %d ns", (mtime, mtimeNsec, want) =>
    expect(timeText({ ...newAttr(), mtime, mtimeNsec })).toBe(want),
  );
});
