import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "../../src/bytes/errors.ts";
import { escapePath, unescapePath } from "../../src/trace/escape.ts";
import { HEADER, isTrace, lineOf, readsOf } from "../../src/trace/format.ts";
import { summarize, summaryJson, summaryPaths, summaryText } from "../../src/trace/summary.ts";

const bytes = (text: string) => Buffer.from(text, "latin1");
const path = fc.uint8Array({ min: 1, max: 255, maxLength: 40 }).map((name) => Uint8Array.of(0x2f, ...name));

describe("a path", () => {
  it("of any bytes survives, in a column of its own", () =>
    fc.assert(
      fc.property(path, (any) => {
        const text = escapePath(any);
        expect(text.every((byte) => byte >= 0x20 && byte !== 0x7f)).toBe(true);
        expect(Buffer.compare(unescapePath(text) ?? new Uint8Array(0), any)).toBe(0);
      }),
    ));

  it.each([
    ["/a b", "/a b"],
    ["/tab\there", "/tab\\x09here"],
    ["/new\nline", "/new\\x0aline"],
    ["/back\\x41", "/back\\x5cx41"],
    ["/\x7f\x00", "/\\x7f\\x00"],
    ["/\xff\xe9", "/\xff\xe9"],
  ])("%j is %j", (from, to) => expect(Buffer.from(escapePath(bytes(from))).toString("latin1")).toBe(to));

  it.each(["/\\", "/\\x", "/\\x0", "/\\x0G", "/\\x0A", "/\\n"])("%j is none", (text) =>
    expect(unescapePath(bytes(text))).toBeUndefined(),
  );
});

it("a trace lists what was read", () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(path, fc.nat(2 ** 31), fc.nat(2 ** 20), fc.nat(10 ** 9))), (all) => {
      const reads = all.map(([path, offset, length, us]) => ({ path, offset, length, seconds: us / 1e6 }));
      const text = Buffer.concat([Buffer.from(HEADER), ...reads.map(lineOf)]);
      expect(isTrace(text)).toBe(true);
      const found = [...readsOf(text, "t")].map((read) => ({ ...read, path: Uint8Array.from(read.path) }));
      expect(found).toEqual(reads);
    }),
  ));

describe("a broken trace is refused", () => {
  const columns = "line 2: want path, offset, length and seconds with tabs between them";
  it.each([
    ["", 'line 1 is not "# nydusd-ts trace 1\tpath\toffset\tlength\tseconds"'],
    ["# nydusd-ts trace 2\tpath\n/a\t0\t1\t0.1\n", "line 1 is not"],
    [`${HEADER}/a\n`, columns],
    [`${HEADER}/a\t0\t1\n`, columns],
    [`${HEADER}/a\t0\t1\t2\t3\n`, columns],
    [`${HEADER}/a\t-1\t1\t0\n`, columns],
    [`${HEADER}/a\t0x1\t1\t0\n`, columns],
    [`${HEADER}/a\t1e3\t1\t0\n`, columns],
    [`${HEADER}/a\t9999999999999999\t1\t0\n`, columns],
    [`${HEADER}/a 0 1 0\n`, columns],
    [`${HEADER}/a\\\t0\t1\t0\n`, "line 2: the path has a backslash that is not \\xNN"],
    [`${HEADER}\n\na/b\t0\t1\t0\n`, "line 4: the path does not begin with /"],
    [`${HEADER}/a\t0\t1\t0.5\n/half\t4096`, "line 3: want path"],
  ])("%j", (text, want) => {
    expect(() => [...readsOf(bytes(text), "t")]).toThrow(`trace t: ${want}`);
  });

  it("and so is anything else", () =>
    fc.assert(
      fc.property(fc.uint8Array(), (junk) => {
        try {
          for (const { path } of readsOf(Buffer.concat([Buffer.from(HEADER), junk]), "t"))
            expect(path[0]).toBe(0x2f);
        } catch (error) {
          expect(messageOf(error)).toMatch(/^trace t: line \d+: /);
        }
      }),
    ));
});

describe("a summary", () => {
  const read = (name: string, offset: number, length: number, seconds: number) => ({
    path: bytes(name),
    ...{ offset, length, seconds },
  });
  const summary = summarize([
    read("/b", 0, 100, 1),
    read("/a\n", 0, 50, 1.25),
    read("/b", 4096, 10, 1.5),
    read("/c ", 0, 1, 2),
    read("/\xff", 0, 1, 3),
  ]);

  it("for people", () =>
    expect(summaryText(summary)).toBe(
      [
        "5 first reads, 162 bytes of 4 files within 2.000 s",
        "SECONDS  READS  BYTES  PATH",
        "  1.000      2    110  /b",
        "  1.250      1     50  /a\\x0a",
        "  2.000      1      1  /c ",
        "  3.000      1      1  /\\xff",
      ].join("\n"),
    ));

  it("for programs", () => {
    const { files, ...totals } = JSON.parse(summaryJson(summary));
    expect(totals).toEqual({ reads: 5, bytes: 162, seconds: 2 });
    expect(files[0]).toEqual({ path: "/b", reads: 2, bytes: 110, seconds: 1 });
  });

  it("as a list leaves out what a list cannot say", () =>
    expect(summaryPaths(summary).toString("latin1")).toBe("/b\n/\xff\n"));

  it("of nothing", () => {
    expect(summaryText(summarize([]))).toMatch(/^0 first reads, 0 bytes of 0 files within 0.000 s\n/);
    expect(summaryPaths(summarize([])).length).toBe(0);
  });
});
