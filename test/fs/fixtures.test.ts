import { describe, expect, it } from "vitest";
import {
  type Expected,
  fixture,
  fixtureNames,
  image,
  refusal,
  serveFixture,
  tree,
} from "../support/image.ts";

/** Entries per fixture: a walk that sees less fails, whatever `expected.json` says. */
const COUNTS: Record<string, number> = {
  "01-basic": 21,
  "03-gnu-longname": 7,
  "04-large": 5,
  "06-bigdir": 1509,
  "07-prefetch": 21,
  "08-nodata": 4,
  "10-repeatable": 7,
  "12-merged": 19,
  "13-export-disk": 19,
  "14-rafs4k-disk": 58,
  "20-erofs-default": 228,
  "22-erofs-chunk-blockmap": 58,
  "23-erofs-blobdev-indexes": 58,
  "24-erofs-tar-index": 29,
  "25-erofs-xattr-prefix": 228,
  "26-erofs-48bit-dotomit": 228,
};

const REFUSED: Record<string, string> = {
  "27-erofs-lz4-refuse":
    "image @0x450: incompatible feature(s) 0x1 (LZ4_0PADDING) not supported: only uncompressed images can be served",
  "28-erofs-metabox-refuse":
    "image @0x450: incompatible feature(s) 0x100 (METABOX) not supported: only uncompressed images can be served",
};

const keyOf = (e: Expected): string => e.path_base64 ?? Buffer.from(e.path ?? "").toString("base64");

describe("the tree served is the tree the kernel shows", () => {
  it.each(Object.entries(COUNTS))("%s: %i entries", (name, count) => {
    const want = new Map(fixture(name).entries.map((e) => [keyOf(e), e]));
    const { fs, opened, losses } = serveFixture(name);
    const got = tree(fs);
    let compared = 0;
    for (const entry of got) {
      expect(entry).toEqual(want.get(keyOf(entry)));
      want.delete(keyOf(entry));
      compared++;
    }
    expect([...want.keys()]).toEqual([]);
    expect(compared).toBe(count);
    expect(opened.report).toMatchObject({ corrupt: 0, problems: [] });
    expect(losses).toEqual([]);
  });
});

describe("an image that cannot be served is refused", () => {
  it.each(Object.entries(REFUSED))("%s", (name, want) => {
    expect(refusal(image(name))).toBe(want);
    expect(refusal(image(name), true)).toBe(want);
  });
});

it("no fixture is left out", () => {
  expect([...Object.keys(COUNTS), ...Object.keys(REFUSED)].sort()).toEqual(fixtureNames);
});
