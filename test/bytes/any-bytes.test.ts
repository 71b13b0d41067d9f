import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, holdsBytes, showBytes, textOf } from "../../src/bytes/any-bytes.ts";

describe("strings that hold any bytes", () => {
  it("stand for the bytes that they were made of", () => {
    const some = fc.oneof(
      fc.uint8Array(),
      fc.string({ unit: "binary" }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(some), (parts) => {
        const bytes = Buffer.concat(parts);
        expect(bytesOf(textOf(bytes))).toEqual(bytes);
      }),
      { numRuns: 2_000 },
    );
  });

  it("are what Node makes of UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (given) => {
        const text = Buffer.from(given).toString();
        expect(textOf(Buffer.from(text))).toBe(text);
        expect(holdsBytes(text)).toBe(false);
        expect(bytesOf(text)).toEqual(Buffer.from(text));
      }),
    );
  });

  const cases: [name: string, hex: string, text: string][] = [
    ["Latin-1", "63e9", "c\udce9"],
    ["cut off", "e282", "\udce2\udc82"],
    ["a surrogate", "edb380", "\udced\udcb3\udc80"],
    ["longer than needed", "c0af", "\udcc0\udcaf"],
    ["above the last character", "f4908080", "\udcf4\udc90\udc80\udc80"],
    ["before and behind UTF-8", "ffc3a9ff", "\udcffé\udcff"],
    ["the same half of a pair", "f09f9280", "💀"],
  ];
  // Python decodes so: bytes.fromhex(…).decode("utf-8", "surrogateescape")
  it.each(cases)("%s", (_, hex, text) => {
    expect(textOf(Buffer.from(hex, "hex"))).toBe(text);
    expect(bytesOf(text).toString("hex")).toBe(hex);
  });

  it("are shown as JSON shows them", () => {
    expect(showBytes("a\udce9💀é")).toBe("a\\udce9💀é");
    expect(JSON.parse(`"${showBytes("a\udce9")}"`)).toBe("a\udce9");
  });
});
