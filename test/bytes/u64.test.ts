import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alignUp, putS64, putU64, s64, u64 } from "../../src/bytes/u64.ts";

const view = () => new DataView(new ArrayBuffer(24));
const exact = fc.maxSafeNat();
const signed = fc.maxSafeInteger();
const at = fc.integer({ min: 0, max: 16 });

describe("64-bit fields", () => {
  it("u64 reads what the platform's own reader reads", () => {
    fc.assert(
      fc.property(exact, at, (value, where) => {
        const v = view();
        v.setBigUint64(where, BigInt(value), true);
        expect(u64(v, where)).toBe(value);
      }),
    );
  });

  it("s64 reads what the platform's own reader reads", () => {
    fc.assert(
      fc.property(signed, at, (value, where) => {
        const v = view();
        v.setBigInt64(where, BigInt(value), true);
        expect(s64(v, where)).toBe(value);
      }),
    );
  });

  it("putU64 and putS64 write what the platform's own writer writes", () => {
    fc.assert(
      fc.property(exact, signed, at, (positive, any, where) => {
        const v = view();
        putU64(v, where, positive);
        expect(v.getBigUint64(where, true)).toBe(BigInt(positive));
        putS64(v, where, any);
        expect(v.getBigInt64(where, true)).toBe(BigInt(any));
      }),
    );
  });

  const edges: { name: string; raw: bigint; unsigned: number; signed: number }[] = [
    { name: "0", raw: 0n, unsigned: 0, signed: 0 },
    { name: "2^31", raw: 2n ** 31n, unsigned: 2 ** 31, signed: 2 ** 31 },
    { name: "2^32 - 1", raw: 2n ** 32n - 1n, unsigned: 2 ** 32 - 1, signed: 2 ** 32 - 1 },
    { name: "2^32", raw: 2n ** 32n, unsigned: 2 ** 32, signed: 2 ** 32 },
    { name: "2^53 - 1", raw: 2n ** 53n - 1n, unsigned: 2 ** 53 - 1, signed: 2 ** 53 - 1 },
    { name: "2^53", raw: 2n ** 53n, unsigned: 2 ** 53, signed: 2 ** 53 },
    { name: "2^63", raw: 2n ** 63n, unsigned: 2 ** 63, signed: -(2 ** 63) },
    { name: "-1", raw: 2n ** 64n - 1n, unsigned: 2 ** 64, signed: -1 },
    { name: "-5", raw: 2n ** 64n - 5n, unsigned: 2 ** 64, signed: -5 },
    { name: "-2^32", raw: 2n ** 64n - 2n ** 32n, unsigned: 2 ** 64 - 2 ** 32, signed: -(2 ** 32) },
  ];
  it.each(edges)("$name", ({ raw, unsigned, signed: want }) => {
    const v = view();
    v.setBigUint64(3, raw, true);
    expect(u64(v, 3)).toBe(unsigned);
    expect(s64(v, 3)).toBe(want);
  });

  it("a u64 above 2^53 - 1 stays above it", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), (raw) => {
        const v = view();
        v.setBigUint64(0, raw, true);
        expect(u64(v, 0)).toBeGreaterThan(Number.MAX_SAFE_INTEGER);
      }),
    );
  });
});

describe("alignUp", () => {
  it("is the smallest multiple that is not below", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.integer({ min: 1, max: 2 ** 20 }), (value, unit) => {
        const up = alignUp(value, unit);
        expect(up % unit).toBe(0);
        expect(up).toBeGreaterThanOrEqual(value);
        expect(up - value).toBeLessThan(unit);
      }),
    );
  });
});
