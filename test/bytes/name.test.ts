import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareBytes, isUtf8, showName } from "../../src/bytes/name.ts";

const bytes = fc.uint8Array({ maxLength: 40 });
const compare = (a: Uint8Array, b: Uint8Array): number =>
  compareBytes(Uint8Array.from([7, ...a, 7]), 1, a.length, Uint8Array.from([9, 9, ...b, 9]), 2, b.length);

describe("compareBytes", () => {
  it("orders as memcmp does, the shorter first", () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compare(a, b))).toBe(Buffer.compare(a, b));
      }),
    );
  });

  it("orders a name before its extensions and after its beginnings", () => {
    fc.assert(
      fc.property(bytes, fc.uint8Array({ minLength: 1, maxLength: 4 }), (a, more) => {
        expect(compare(a, Uint8Array.from([...a, ...more]))).toBeLessThan(0);
        expect(compare(Uint8Array.from([...a, ...more]), a)).toBeGreaterThan(0);
        expect(compare(a, a)).toBe(0);
      }),
    );
  });
});

describe("showName", () => {
  const cases: { name: string; of: number[] | string; want: string }[] = [
    { name: "ASCII", of: "a b.c", want: "a b.c" },
    { name: "UTF-8", of: "ünï-日本", want: "ünï-日本" },
    { name: "a backslash", of: "a\\b", want: "a\\b" },
    { name: "Latin-1", of: [0x63, 0x61, 0x66, 0xe9], want: "caf\\xe9" },
    { name: "a line feed", of: "a\nb", want: "a\\x0ab" },
    { name: "an escape sequence", of: "\x1b[31m", want: "\\x1b[31m" },
    { name: "DEL", of: "\x7f", want: "\\x7f" },
    { name: "a backslash among what is escaped", of: [0x5c, 0xff], want: "\\x5c\\xff" },
    { name: "nothing", of: "", want: "" },
    { name: "an 8-bit escape sequence", of: "\u009b31m", want: "\\xc2\\x9b31m" },
    { name: "a direction override", of: "a\u202eb", want: "a\\xe2\\x80\\xaeb" },
    { name: "a byte order mark", of: "\ufeffa", want: "\\xef\\xbb\\xbfa" },
    { name: "half a character", of: [0xc3], want: "\\xc3" },
  ];
  it.each(cases)("$name", ({ of, want }) => {
    expect(showName(typeof of === "string" ? Buffer.from(of) : Uint8Array.from(of))).toBe(want);
  });

  it("never lets a control byte through", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          bytes,
          fc.string({ unit: "binary" }).map((s) => Buffer.from(s)),
        ),
        (name) => {
          const shown = showName(name);
          expect(shown).not.toMatch(/\p{Cc}|\p{Cf}/u);
        },
      ),
    );
  });

  it("takes shared memory, which TextDecoder does not", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(3));
    shared.set(Buffer.from("abc"));
    expect(showName(shared)).toBe("abc");
  });
});

describe("isUtf8", () => {
  it("says yes to every string's bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (s) => {
        expect(isUtf8(Buffer.from(s))).toBe(true);
      }),
    );
  });

  it.each([[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x80], [0xe2, 0x82]])(
    "says no to bytes %#",
    (...wrong) => expect(isUtf8(Uint8Array.from(wrong))).toBe(false),
  );
});
