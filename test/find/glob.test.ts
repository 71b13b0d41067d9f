import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { glob } from "../../src/find/glob.ts";
import { scratchDir } from "../support/image.ts";
import { gnuFind } from "./oracle.ts";

/** ASCII: of other names glibc also tries each byte by itself. */
const NAMES = [
  ...["a", "b", "z", "B", "-", "]", "[", "!", "^", "\\", ":", "*", "[]", "[!]", "[^]", "[a", "[a-", "[z-a]"],
  ...["ab", "a-b", "]a", "a]", "[:alpha:]", "ba]", "\\a", "a[b", "*b", "[[:x", "-a]", "=", "[=a", "aab"],
];

/** Of what patterns are made of, with the odd ends of sets among it. */
const pattern = fc
  .array(
    fc.constantFrom(
      ...["a", "b", "B", "z", "-", "]", "[", "[!", "[^", "!", "^", "\\", "*", "?", ":", "=", "a-z", "z-a"],
      ...["[[:alpha:]_]", "[[:upper:]-]", "[b[:digit:]-z]", "[a-b]", "[!a]", "[]a]", "[[.-.]-a]"],
    ),
    { minLength: 1, maxLength: 6 },
  )
  .map((parts) => parts.join(""))
  // glibc reads these one way when it looks for a member, and another when it passes over the rest of a set.
  .filter((of) => !/-\[[:=.]/.test(of));

describe("a pattern", () => {
  const root = join(scratchDir(), "root");
  const found = (option: string, of: string) => gnuFind(root, [option, of]).map((path) => path.slice(1));

  it.each([
    ["-name", false, 300],
    ["-iname", true, 150],
  ] as const)("is like the names that GNU find %s finds", (option, ignoresCase, runs) => {
    mkdirSync(root, { recursive: true });
    for (const name of NAMES) writeFileSync(join(root, name), "");
    const bytes = NAMES.map((name) => Buffer.from(name));
    fc.assert(
      fc.property(pattern, (of) => {
        const matches = glob(of, ignoresCase);
        const ours = bytes.filter(matches).map((name) => name.toString("latin1"));
        expect([of, ours.sort()]).toEqual([of, found(option, of)]);
      }),
      { numRuns: runs, seed: 20 },
    );
  });

  it.each([
    ["many slashes", "*/*/*/*.js", "a/".repeat(700)],
    ["one letter", `${"*a".repeat(12)}*b`, "a".repeat(255)],
    ["sets", `${"*[a-c]".repeat(12)}*b`, "a".repeat(255)],
  ])(
    "takes steps by length of name and pattern, not by what both can make of each other: %s",
    (_, of, name) => {
      let steps = 0;
      const text = String.prototype.codePointAt;
      String.prototype.codePointAt = function (at) {
        steps++;
        return text.call(this, at);
      };
      try {
        expect(glob(of)(Buffer.from(name))).toBe(false);
      } finally {
        String.prototype.codePointAt = text;
      }
      expect(steps).toBeGreaterThan(name.length);
      expect(steps).toBeLessThan(2 * (name.length + 1) * (of.length + 1));
    },
  );
});
