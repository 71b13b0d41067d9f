import { describe, expect, it } from "vitest";
import { parseHashWords } from "../../src/verity/hash-words.ts";
import { verityLine } from "../../bin/verity-words.ts";

const ROOT = "0123456789abcdef".repeat(4);
const root = Buffer.from(ROOT, "hex");
const made = { root, dataBlock: 512, dataBlocks: 7388, hashOffset: 3_784_704 };

describe("a root digest in a file", () => {
  it.each(["", "00aaff"])("is read from the line that an export prints, salt %j", (salt) => {
    const all = { ...made, salt: Buffer.from(salt, "hex") };
    const places = { dataBlock: 512, dataBlocks: 7388, hashOffset: 3_784_704 };
    expect(parseHashWords(`${verityLine(all, false)}\n`, "f")).toEqual({ root: ROOT, salt, ...places });
    expect(parseHashWords(verityLine(all, true), "f")).toEqual({ root: ROOT, hashOffset: 3_784_704 });
    expect(parseHashWords(`ready\n${verityLine(all, false)}\nready`, "f").root).toBe(ROOT); // as nbd prints it
  });

  it.each([ROOT, ROOT.toUpperCase(), `  ${ROOT}\n`])("may stand there alone: %j", (text) =>
    expect(parseHashWords(text, "f")).toEqual({ root: ROOT }),
  );

  it.each([
    ["", "f @0x0: no root digest: want 64 hex digits, or the line that export --verity prints"],
    [ROOT.slice(1), "f @0x0: no root digest"],
    [`${ROOT} ${ROOT}`, "f @0x0: no root digest"],
    ["dm-verity options: ", "f @0x0: no root digest"],
    [`\ndm-verity options: --hash=sha512 ${ROOT}`, "f @0x1: --hash sha512: want sha256"],
    [`dm-verity options: --format=0 ${ROOT}`, "f @0x0: --format 0: want 1"],
    [`dm-verity options: --hash-block-size=512 ${ROOT}`, "f @0x0: --hash-block-size 512: want 4096"],
    [`dm-verity options: --data-block-size=513 ${ROOT}`, "f @0x0: --data-block-size 513: want 512 … 65536"],
    [`dm-verity options: --data-blocks -1 ${ROOT}`, "f @0x0: --data-blocks -1: want a whole number"],
    [`dm-verity options: --hash-offset x ${ROOT}`, "f @0x0: --hash-offset x: want a whole number"],
    [`dm-verity options: --data-blocks ${ROOT}`, "f @0x0: --data-blocks has no value"],
    [`dm-verity options: -s 0 ${ROOT}`, "f @0x0: -s 0: want at most 256 bytes as pairs of hex digits"],
  ])("is refused: %j", (text, want) => expect(() => parseHashWords(text, "f")).toThrow(want));
});
