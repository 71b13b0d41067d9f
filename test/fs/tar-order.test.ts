import { describe, expect, it } from "vitest";
import { S_IFMT, S_IFREG } from "../../src/bytes/errno.ts";
import { Image } from "../../src/erofs/image.ts";
import { TarOrder } from "../../src/fs/tar-order.ts";
import { SMALL_FILE } from "../../src/vfs/data-order.ts";
import { content, fixture, serveFixture } from "../support/image.ts";

/** Images whose files are each one run in one tar, and one with files on several. */
const FIXTURES = [
  "01-basic",
  "04-large",
  "06-bigdir",
  "08-nodata",
  "12-merged",
  "13-export-disk",
  "24-erofs-tar-index",
];
const LIMITS = [SMALL_FILE, 1 << 20];

function order(name: string) {
  const { fs, blobs, opened } = serveFixture(name);
  const places = new Int32Array(Math.ceil(opened.handle.shared.byteLength / 32));
  return { fs, places, order: new TarOrder(fs, new Image(opened.handle), blobs, places) };
}

describe.each(FIXTURES)("%s", (name) => {
  const { fs, places, order: all } = order(name);

  it("has each small file once, whatever its names", () => {
    const small = fixture(name).entries.filter(
      (e) => (Number.parseInt(e.mode, 8) & S_IFMT) === S_IFREG && e.size > 0 && e.size <= SMALL_FILE,
    );
    const nodes = Array.from({ length: all.count }, (_, i) => all.nodeAt(i));
    expect([...nodes].sort()).toEqual([...new Set(small.map((e) => e.ino))].sort());
    for (const [i, node] of nodes.entries()) expect(places[node]).toBe(i + 1);
    expect(places.filter((p) => p > 0).length).toBe(all.count);
  });

  it.each(LIMITS)("reads what the files hold, in stretches of up to %i bytes", (limit) => {
    let seen = 0;
    const out = new Uint8Array(10 + limit);
    for (let from = 0; from < all.count; ) {
      const end = all.runEnd(from, all.count, limit);
      const length = all.readRun(from, end, out, 10);
      expect(end).toBeGreaterThan(from);
      expect(length).toBeLessThanOrEqual(limit);
      for (let i = from; i < end; i++, seen++) {
        const at = all.distance(from, i);
        expect(at).toBeGreaterThanOrEqual(0);
        expect(at + all.sizeAt(i)).toBeLessThanOrEqual(length);
        const want = content(fs, all.nodeAt(i), all.sizeAt(i));
        expect(Buffer.compare(out.subarray(10 + at, 10 + at + want.length), want)).toBe(0);
      }
      from = end;
    }
    expect(seen).toBe(all.count);
  });
});
