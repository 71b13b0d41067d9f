import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { prefetchList } from "../../src/mkfs/prefetch.ts";
import { parseList, readList } from "../../src/prefetch/list.ts";
import { HEADER } from "../../src/trace/format.ts";
import { scratchDir } from "../support/image.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const shown = (path: Uint8Array) => Buffer.from(path).toString("latin1");
const ALL = Number.POSITIVE_INFINITY;

describe("a list", () => {
  it.each<[text: string, ...paths: string[]]>([
    [""],
    ["\n \n\t\r\n"],
    ["/", "/"],
    ["/a\n/b/c", "/a", "/b/c"],
    ["  /a \r\n\n\t/b\t\n", "/a", "/b"],
    ["/a b/c\n", "/a b/c"],
    ["/\xc3\xa0\n", "/\xc3\xa0"], // its last byte is a blank elsewhere
    ["/x\x85\n/\xa0", "/x\x85", "/\xa0"],
    ["/a\n/a\n", "/a", "/a"],
    ["/\x00\xff\x1b[31m", "/\x00\xff\x1b[31m"],
  ])("%j", (text, ...paths) => {
    const list = parseList(bytes(text), "l");
    expect(list.isTrace).toBe(false);
    const entries = [...list.entries()];
    expect(entries.map(({ path }) => shown(path))).toEqual(paths);
    expect(entries.every(({ offset, length }) => offset === 0 && length === ALL)).toBe(true);
    // The builder takes the same lines, each path once.
    expect(prefetchList(bytes(text)).map(shown)).toEqual([...new Set(paths)]);
  });

  it.each([
    ["a", 'line 1: "a" is no absolute path'],
    ["/a\n\n./b\n", 'line 3: "./b" is no absolute path'],
    ["# a comment\n/a\n", 'line 1: "# a comment" is no absolute path'],
    ["/a\n\x7fELF\x02\n", 'line 2: "\\x7fELF\\x02" is no absolute path'],
    ["x".repeat(1000), `line 1: "${"x".repeat(100)}" is no absolute path`],
  ])("%j is refused, with its line", (text, want) => {
    expect(() => parseList(bytes(text), "l")).toThrow(`prefetch list l: ${want}`);
  });

  it("that is a trace has its pieces, and is refused like one", () => {
    const list = parseList(bytes(`${HEADER}/a\\x0a\t4096\t10\t0.1\n/b\t0\t1\t0.2\n`), "l");
    expect(list.isTrace).toBe(true);
    expect([...list.entries()].map(({ path, offset, length }) => [shown(path), offset, length])).toEqual([
      ["/a\n", 4096, 10],
      ["/b", 0, 1],
    ]);
    expect(() => parseList(bytes(`${HEADER}/a\n`), "l")).toThrow("trace l: line 2: want path, offset");
    expect(() => parseList(bytes("# nydusd-ts trace 9\n/a\n"), "l")).toThrow("trace l: line 1 is not");
  });

  it("that cannot be read is refused", () => {
    const dir = scratchDir();
    mkdirSync(join(dir, "d"));
    expect(() => readList(join(dir, "none"))).toThrow(`prefetch list ${dir}/none: ENOENT`);
    expect(() => readList(join(dir, "d"))).toThrow("not a regular file");
    expect(() => readList("/dev/zero")).toThrow("not a regular file");
    writeFileSync(join(dir, "big"), Buffer.alloc((64 << 20) + 1));
    expect(() => readList(join(dir, "big"))).toThrow("67108865 bytes is too long (limit: 67108864)");
  });
});
