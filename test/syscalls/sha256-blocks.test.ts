import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { Sha256Blocks } from "../../src/syscalls/sha256-blocks.ts";
import { loadSystemCalls } from "../../src/syscalls/system-call.ts";

const digest = (...parts: readonly Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

describe("before system calls are loaded", () => {
  it("there is none", () => {
    expect(Sha256Blocks.of(new Uint8Array(0), 512)).toBeUndefined();
  });
});

describe("blocks hashed by libcrypto", () => {
  beforeAll(loadSystemCalls);

  it("have the digests that Node's own call finds, whatever salt and size", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 64 }).chain((n) => fc.uint8Array({ minLength: 4 * n, maxLength: 4 * n })),
        fc.constantFrom(512, 1024, 4096),
        fc.integer({ min: 1, max: 5 }),
        fc.uint8Array({ minLength: 5 * 4096, maxLength: 5 * 4096 }),
        (salt, size, count, noise) => {
          const blocks = Sha256Blocks.of(salt, size);
          if (blocks === undefined) throw new Error("libcrypto is not what it was");
          const data = noise.slice(0, count * size);
          const wanted = Array.from({ length: count }, (_, i) =>
            digest(salt, data.slice(i * size, (i + 1) * size)).toString("hex"),
          );
          const out = new DataView(new ArrayBuffer(count * 32));
          blocks.begin(data);
          for (let i = count - 1; i >= 0; i--) blocks.put(i, i === count - 1, out, i * 32);
          const found = Buffer.from(out.buffer).toString("hex");
          expect(found).toBe(wanted.join(""));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("with a salt of no whole words are left to Node", () => {
    expect(Sha256Blocks.of(new Uint8Array(3), 512)).toBeUndefined();
  });
});
