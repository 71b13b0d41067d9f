import fc from "fast-check";
import { expect, it } from "vitest";
import { WindowBytes } from "../../src/tar/window-bytes.ts";

const BYTES = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

it("shows all that has come and was not said to be needed no more, whatever the pieces", () => {
  const pieces = fc.array(fc.nat({ max: 700 }), { minLength: 1, maxLength: 20 });
  const steps = fc.array(fc.nat({ max: 900 }), { maxLength: 20 });
  fc.assert(
    fc.property(pieces, steps, (lengths, jumps) => {
      const window = new WindowBytes("t");
      let end = 0;
      let needed = 0;
      lengths.forEach((length, i) => {
        window.add(BYTES.subarray(end, end + length));
        end = Math.min(BYTES.length, end + length);
        needed += jumps[i] ?? 0;
        window.forget(needed);
        if (needed >= end) return;
        const bytes = window.view(needed, end - needed);
        expect(Buffer.compare(bytes, BYTES.subarray(needed, end))).toBe(0);
      });
    }),
  );
});

it("shows nothing that has not come, or is gone", () => {
  const window = new WindowBytes("t");
  window.add(BYTES.subarray(0, 100));
  expect(() => window.view(90, 11)).toThrow("t @0x5a: the tar ends here");
  window.forget(100);
  window.add(BYTES.subarray(100, 200));
  expect(() => window.view(99, 1)).toThrow("t @0x63: the tar ends here");
});
