import { expect, it } from "vitest";
import { BudgetExceeded, MetadataBudget } from "../../src/mkfs/budget.ts";
import { TarTree } from "../../src/mkfs/from-tar.ts";
import type { TarEntry } from "../../src/tar/entry.ts";

it("metadata are counted while a tree grows: 1 GiB, and not a byte more", () => {
  const budget = new MetadataBudget();
  budget.add(2 ** 30);
  expect(() => budget.add(1)).toThrow(BudgetExceeded);
});

it("the entry that is too much is named, before anything is planned", () => {
  const none = new Uint8Array(0);
  // The index of each takes 32 MiB: a hole of 2 GiB between two blocks of 512 bytes.
  const sparse = [0, 2 ** 31 - 512].map((offset, i) => ({ offset, length: 512, dataAt: 512 + 512 * i }));
  const entry = (i: number): TarEntry => ({
    ...{ kind: "file", path: Uint8Array.from(Buffer.from(`f${i}`)), link: none, mode: 0o644, uid: 0, gid: 0 },
    ...{ mtime: 0, mtimeNsec: 0, rdev: 0, size: 2 ** 31, xattrs: [], at: 1536 * i, dataAt: 512, sparse },
  });
  const tree = new TarTree("tar", { whiteouts: "oci", warn: () => {} });
  const add = () => {
    for (let i = 0; i < 40; i++) tree.add(entry(i));
  };
  expect(add).toThrow(
    /^tar @0xba00: entry "f31": with it names, inodes and chunk indexes take more than 1073741824 bytes/,
  );
});
