import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BlobFiles } from "../../src/blob/blob-files.ts";
import { locateBlob } from "../../src/blob/locate.ts";
import { newProgress, progressOf } from "../../src/counters/prefetch-progress.ts";
import { Rows } from "../../src/prefetch/rows.ts";
import { type Limits, prefetch } from "../../src/prefetch/prefetch.ts";
import { scratchDir } from "../support/image.ts";

const MIB = 1 << 20;
const NONE: Limits = { rate: 0, memory: Number.POSITIVE_INFINITY };

/** Two files of 5 MiB, and runs of them: device, address, length, files. */
function setting(...runs: [number, number, number, number][]) {
  const dir = scratchDir();
  const paths = ["a", "b"].map((name) => join(dir, name));
  for (const path of paths) writeFileSync(path, Buffer.alloc(5 * MIB));
  const places = { dirs: [], files: new Map(paths.map((path, i) => [String(i + 1), path])) };
  const losses: string[] = [];
  const files = paths.map((_, i) => locateBlob(places, i, "", 0));
  const rows = new Rows(4);
  for (const run of runs) rows.add(...run);
  const shared = newProgress();
  const cancel = new AbortController();
  const blobs = new BlobFiles(files, (_, problem) => losses.push(problem));
  const run = (limits: Partial<Limits>) =>
    prefetch(rows, blobs, { ...NONE, ...limits }, cancel.signal, new Float64Array(shared));
  return { paths, losses, cancel, run, progress: () => progressOf(shared) };
}

describe("prefetching", () => {
  it("reads runs in pieces and counts", async () => {
    const { run, progress } = setting([0, 0, 100, 2], [0, MIB, 2.5 * MIB, 1], [1, 7, 3, 4]);
    await run({});
    expect(progress()).toMatchObject({ bytes: 2.5 * MIB + 103, files: 7, requests: 5 });
  });

  it.each([
    [1, 1, 0],
    [MIB, MIB, 0],
    [2 * MIB + 1, 2 * MIB + 1, 1],
  ])("ends after %d bytes", async (memory, bytes, files) => {
    const { run, progress } = setting([0, 0, 2 * MIB, 1], [1, 0, 2 * MIB, 1]);
    await run({ memory });
    expect(progress()).toMatchObject({ bytes, files });
  });

  it("keeps to its rate, and ends at once when it is cancelled", async () => {
    const { run, progress, cancel } = setting([0, 0, 5 * MIB, 1]);
    const timer = setInterval(() => progress().bytes > 0 && cancel.abort(), 5);
    await expect(run({ rate: 1000 })).rejects.toThrow("abort"); // a piece alone would be 17 minutes
    clearInterval(timer);
    expect(progress()).toMatchObject({ bytes: MIB, requests: 1 });
  });

  it("does nothing when it was cancelled before", async () => {
    const { run, progress, cancel } = setting([0, 0, 5 * MIB, 1]);
    cancel.abort();
    await expect(run({})).rejects.toThrow("abort");
    expect(progress()).toMatchObject({ bytes: 0, files: 0 });
  });

  it("passes over what is lost", async () => {
    const { run, progress, paths, losses } = setting([0, 0, 5 * MIB, 1], [1, 0, 10, 1]);
    truncateSync(paths[0], MIB);
    await run({});
    expect(losses).toEqual([`${paths[0]}: ends before byte ${2 * MIB}: it was truncated`]);
    expect(progress()).toMatchObject({ bytes: MIB + 10, files: 1, requests: 3 });
  });
});
