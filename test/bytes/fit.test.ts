import { describe, expect, it } from "vitest";
import {
  fit16,
  fit32,
  fit8,
  put16,
  put32,
  put48,
  put64,
  put8,
  putAscii,
  putSigned64,
} from "../../src/bytes/fit.ts";
import { s64, u64 } from "../../src/bytes/u64.ts";

const view = () => new DataView(new ArrayBuffer(16));

describe("fields of fixed width", () => {
  it.each([
    { take: fit8, bits: 8 },
    { take: fit16, bits: 16 },
    { take: fit32, bits: 32 },
  ])("of $bits bits take what they hold, and nothing else", ({ take, bits }) => {
    const most = 2 ** bits - 1;
    for (const value of [0, 1, most - 1, most]) expect(take(value)).toBe(value);
    for (const value of [most + 1, -1, 0.5, 2 ** 40, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => take(value)).toThrow(`${value} does not fit in a field of ${bits} bits`);
  });

  it("are little-endian", () => {
    const v = view();
    put8(v, 0, 0xfe);
    put16(v, 1, 0xabcd);
    put32(v, 3, 0xfedc_ba98);
    expect(Buffer.from(v.buffer, 0, 7).toString("hex")).toBe("fecdab98badcfe");
  });

  it("of 48 bits lie in two places", () => {
    const v = view();
    put48(v, 4, 0, 0xaabb_1122_3344);
    expect(Buffer.from(v.buffer, 0, 8).toString("hex")).toBe("bbaa000044332211");
    put48(v, 4, 0, 2 ** 48 - 1);
    expect(() => put48(v, 4, 0, 2 ** 48)).toThrow("65536 does not fit in a field of 16 bits");
    expect(() => put48(v, 4, 0, -1)).toThrow("does not fit");
  });

  it("of 64 bits hold what a number holds exactly", () => {
    const v = view();
    for (const value of [0, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      put64(v, 0, value);
      expect(u64(v, 0)).toBe(value);
      putSigned64(v, 8, -value);
      expect(s64(v, 8)).toBe(value === 0 ? 0 : -value);
    }
    for (const value of [-1, 0.5, 2 ** 53]) expect(() => put64(v, 0, value)).toThrow("does not fit");
    for (const value of [0.5, 2 ** 53, -(2 ** 53)])
      expect(() => putSigned64(v, 0, value)).toThrow("does not fit");
  });

  it("of characters are as long as their text at least", () => {
    const v = view();
    putAscii(v, 1, "abc", 3);
    expect(Buffer.from(v.buffer, 0, 5).toString("latin1")).toBe("\0abc\0");
    expect(() => putAscii(v, 1, "abcd", 3)).toThrow("4 does not fit");
    expect(() => putAscii(v, 1, "é€", 3)).toThrow("does not fit in a field of 8 bits");
  });
});
