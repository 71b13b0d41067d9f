import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../src/bytes/crc32c.ts";

/** The usual CRC-32C inverts the result; EROFS does not, and this function leaves it to the caller. */
const usual = (bytes: Uint8Array): number => (crc32c(0xffffffff, bytes) ^ 0xffffffff) >>> 0;

describe("crc32c", () => {
  // The check value of the algorithm, and the examples of RFC 3720, B.4.
  const cases: { name: string; bytes: Uint8Array; want: number }[] = [
    { name: "nothing", bytes: new Uint8Array(0), want: 0 },
    { name: "123456789", bytes: Buffer.from("123456789"), want: 0xe3069283 },
    { name: "32 zeros", bytes: new Uint8Array(32), want: 0x8a9136aa },
    { name: "32 ones", bytes: new Uint8Array(32).fill(0xff), want: 0x62a8ab43 },
    { name: "0 up to 31", bytes: Uint8Array.from({ length: 32 }, (_, i) => i), want: 0x46dd794e },
    { name: "31 down to 0", bytes: Uint8Array.from({ length: 32 }, (_, i) => 31 - i), want: 0x113fdb5c },
  ];
  it.each(cases)("$name", ({ bytes, want }) => expect(usual(bytes)).toBe(want));

  it("goes on where it stopped", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(crc32c(crc32c(0xffffffff, a), b)).toBe(crc32c(0xffffffff, Uint8Array.from([...a, ...b])));
      }),
    );
  });

  it("notices any one bit", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(), (bytes, n) => {
        const other = bytes.slice();
        other[Math.floor(n / 8) % bytes.length] ^= 1 << (n % 8);
        expect(usual(other)).not.toBe(usual(bytes));
      }),
    );
  });
});
