import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeControlChars, shown } from "../../src/bytes/escape-control-chars.ts";

/** What a reader makes of it. */
const read = (text: string): string =>
  text.replace(/\\(?:([\\nrtbf])|u([0-9a-f]{4}))/g, (_, short: string, code: string) =>
    code === undefined ? JSON.parse(`"\\${short}"`) : String.fromCharCode(Number.parseInt(code, 16)),
  );

describe("a name as people see it", () => {
  const table: [name: string, text: string, want: string][] = [
    ["plain", "a b/ü.txt", "a b/ü.txt"],
    ["a newline, a tab", "a\nb\t", "a\\nb\\t"],
    ["what looks like one", "a\\nb", "a\\\\nb"],
    ["a backslash before one", "a\\\n", "a\\\\\\n"],
    ["a backslash that looks like nothing", "C:\\x", "C:\\x"],
    ["one at the end", "a\\", "a\\\\"],
    ["escape, bell, delete, C1", "\u001b[2J\u0007\u007f\u009b", "\\u001b[2J\\u0007\\u007f\\u009b"],
    ["turned around", "a\u202egpj.exe", "a\\u202egpj.exe"],
    [
      "isolates, marks, joiners, no width",
      "\u2066\u200e\u200d\u200b\ufeff",
      "\\u2066\\u200e\\u200d\\u200b\\ufeff",
    ],
    ["lines and paragraphs of Unicode", "\u2028\u2029\u0085", "\\u2028\\u2029\\u0085"],
    ["other blanks", "a\u00a0b\u3000", "a\\u00a0b\\u3000"],
    ["fillers and blank letters", "\u3164\u115f\u2800\ufe0f", "\\u3164\\u115f\\u2800\\ufe0f"],
    ["tags", "\u{e0041}", "\\udb40\\udc41"],
    ["what is assigned to nothing", "\u0378\ue000", "\\u0378\\ue000"],
    ["a byte that is no UTF-8", "\udce9", "\\udce9"],
    ["composed", "é", "é"],
    ["the same of two characters", "e\u0301", "e\\u0301"],
    ["a sign that is a letter", "\u212b\u212a", "\\u212b\\u212a"],
    ["ligatures, dot leaders", "\ufb01le\u2024gz \u2025/", "\\ufb01le\\u2024gz \\u2025/"],
    ["Roman numerals, long s, digraphs", "\u2160 \u017f \u01c9", "\\u2160 \\u017f \\u01c9"],
    ["letters of mathematics", "\u{1d41a}\u210e", "\\ud835\\udc1a\\u210e"],
    ["ASCII in a form that shows", "№1 ℡ m² 1ª ™ ① …（ＯＫ）", "№1 ℡ m² 1ª ™ ① …（ＯＫ）"],
    ["marks in another order", "a\u0315\u0300", "a\u0315\\u0300"],
    ["a mark behind an escape", "\uf91c\u0301 \u001b\u0307", "\\uf91c\\u0301 \\u001b\\u0307"],
    ["syllables in parts", "\u1100\u1161", "\u1100\\u1161"],
    ["other scripts", "日本語 Ελλάδα עברית", "日本語 Ελλάδα עברית"],
  ];
  it.each(table)("%s", (_, text, want) => expect(shown(text)).toBe(want));

  const piece = fc.oneof(
    fc.constantFrom(
      "\\",
      "\\\\",
      "n",
      "u",
      "001b",
      "\n",
      "\u001b",
      "\u202e",
      "\u0301",
      "e",
      "é",
      " ",
      "\udce9",
      "\ud83d",
    ),
    fc.string({ unit: "binary", maxLength: 3 }),
  );
  const name = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));

  it("is never that of another", () =>
    fc.assert(
      fc.property(name, (text) => void expect(read(shown(text))).toBe(text)),
      { numRuns: 5_000 },
    ));

  it("is one line, in normal form, that can be seen", () =>
    fc.assert(
      fc.property(name, (text) => {
        const line = shown(text);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u2800]/u);
        expect(line.normalize("NFC")).toBe(line);
        expect(line).not.toMatch(/[\ufb00-\ufb06\u2160-\u217f\u{1d400}-\u{1d6a3}]/u);
      }),
      { numRuns: 5_000 },
    ));

  it("JSON is the same to its reader afterwards", () =>
    fc.assert(
      fc.property(
        fc.dictionary(name, name),
        (value) => void expect(JSON.parse(escapeControlChars(JSON.stringify(value)))).toEqual(value),
      ),
      { numRuns: 2_000 },
    ));
});
