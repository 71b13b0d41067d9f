import { closeSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBounded } from "../../src/safe-open/read-bounded.ts";
import { scratchDir } from "../support/image.ts";

const MAX = 3 << 20;

function read(path: string): Buffer | undefined {
  const fd = openSync(path, "r");
  try {
    return readBounded(fd, MAX);
  } finally {
    closeSync(fd);
  }
}

describe("a file is read to its end, but no further than", () => {
  const path = join(scratchDir(), "file");
  it.each([0, 1, 1 << 20, (1 << 20) + 1, MAX - 1, MAX])("its bound: %d bytes", (length) => {
    const bytes = Buffer.alloc(length, "abc");
    writeFileSync(path, bytes);
    expect(read(path)?.equals(bytes)).toBe(true);
  });

  it.each([MAX + 1, 2 ** 40])("its bound: of %d bytes nothing is kept", (length) => {
    writeFileSync(path, "");
    truncateSync(path, length);
    expect(read(path)).toBeUndefined();
  });

  it("whatever its length was said to be: one of /proc has none", () => {
    expect(read("/proc/self/status")?.toString("latin1")).toContain("\nPid:");
  });
});
