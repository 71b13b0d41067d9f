import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MAX_NESTING, MAX_VALUES, mustBeBounded, parseJson } from "../../src/bytes/bounded-json.ts";

const parse = (text: string) => parseJson(Buffer.from(text));

describe("a document of a stranger", () => {
  it("is what JSON.parse makes of it", () =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    ));

  const nested = (n: number) => "[".repeat(n) + "]".repeat(n);
  const list = (n: number) => `[${new Array(n).fill("[]").join()}]`;
  const accepted: [name: string, text: string][] = [
    ["as deep as may be", nested(MAX_NESTING)],
    ["brackets in strings", JSON.stringify(["[".repeat(1000), '\\"[[[', "\\"])],
    ["many values", list(MAX_VALUES / 2 - 1)],
  ];
  it.each(accepted)("is parsed: %s", (_, text) => expect(parse(text)).toEqual(JSON.parse(text)));

  const refused: [name: string, text: string, want: string][] = [
    ["too deep", nested(MAX_NESTING + 1), "more than 64 lists and objects within one another"],
    ["too deep, and no JSON", "[".repeat(1 << 20), "more than 64 lists and objects within one another"],
    ["objects, too", '{"a":'.repeat(1000), "more than 64 lists and objects within one another"],
    ["too many lists", list(MAX_VALUES / 2 + 1), `more than ${MAX_VALUES} values`],
    ["too many members", `{${'"a":1,'.repeat(MAX_VALUES / 2)}"b":1}`, `more than ${MAX_VALUES} values`],
    ["no JSON", "{", "JSON"],
    ["a string without an end", '["\\', "JSON"],
  ];
  it.each(refused)("is refused: %s", (_, text, want) => expect(() => parse(text)).toThrow(want));

  it("is looked at once, whatever is in it", () => {
    for (const unit of ["[", '{"a":', '"\\"', ",", "\\", "]"])
      for (const size of [1 << 10, 1 << 11, 1 << 12]) {
        let looks = 0;
        const bytes = new Proxy(Buffer.from(unit.repeat(size)), {
          get: (target, key) => {
            if (typeof key === "string" && /^\d+$/.test(key)) looks++;
            return Reflect.get(target, key, target);
          },
        });
        try {
          mustBeBounded(bytes, { nesting: Number.POSITIVE_INFINITY, values: Number.POSITIVE_INFINITY });
        } catch {}
        expect(looks).toBeLessThanOrEqual(2 * unit.length * size + 2);
      }
  });
});
