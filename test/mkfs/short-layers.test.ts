import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it, vi } from "vitest";
import { createFrom, type CreateFromRequest } from "../../src/mkfs/create-from.ts";
import { content, nodeAt, scratchDir, serve, tree } from "../support/image.ts";
import { tarOf } from "./emit.ts";
import { file } from "./support.ts";
import { NO_REPORT } from "../support/no-report.ts";

vi.mock("node:worker_threads", async (original) => ({
  ...(await original<typeof import("node:worker_threads")>()),
  Worker: class {
    constructor() {
      throw new Error("a thread was started");
    }
  },
}));

const LAYERS = 254;
/** One file of its own, and one that all of them replace. */
const layer = (i: number) => tarOf([file(`f${i}`), file("top", `of ${i}`)]);

/** A PATH of nothing but decompressors that say when they are run. */
function tellingPrograms(dir: string): string {
  const ran = join(dir, "ran");
  for (const name of ["igzip", "pigz"]) {
    writeFileSync(join(dir, name), `#!/bin/sh\n: >${ran}\n`);
    chmodSync(join(dir, name), 0o755);
  }
  vi.stubEnv("PATH", dir);
  return ran;
}

describe("a layer of a few kilobytes takes neither a thread nor a program: 254 of them", () => {
  it.each<[string, (tar: Uint8Array) => Uint8Array]>([
    ["plain", (tar) => tar],
    ["gzip", (tar) => gzipSync(tar)],
    [
      "gzip of two members",
      (tar) => Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
    ],
  ])("%s", async (_, packed) => {
    const dir = scratchDir();
    const blobDir = join(dir, "blobs");
    mkdirSync(blobDir);
    const ran = tellingPrograms(dir);
    const layers = Array.from({ length: LAYERS }, (_, i) => join(dir, `${i}`));
    layers.forEach((path, i) => {
      writeFileSync(path, packed(layer(i)));
    });
    const { bootstrap } = await createFrom({
      ...{ layers, blobDir, bootstrap: join(dir, "image.boot"), blobId: undefined, blobLink: "hard" },
      ...{
        chunkSize: 0x10_0000,
        isRepeatable: false,
        ignoreZeros: false,
        report: NO_REPORT,
        prefetch: [],
        whiteouts: "oci",
      },
      warn: (message) => expect.unreachable(message),
    });
    const { fs } = serve(bootstrap, { dirs: [blobDir], files: new Map() });
    expect(tree(fs)).toHaveLength(LAYERS + 2);
    expect(existsSync(ran)).toBe(false);
    vi.unstubAllEnvs();
  });

  it("damage is told as it is of a long one", async () => {
    const dir = scratchDir();
    vi.stubEnv("PATH", dir);
    const path = join(dir, "layer.tar.gz");
    writeFileSync(path, gzipSync(layer(1)).subarray(0, -9));
    mkdirSync(join(dir, "blobs"));
    const request: CreateFromRequest = {
      ...{ layers: [path], blobDir: join(dir, "blobs"), bootstrap: join(dir, "x.boot"), blobId: undefined },
      ...{
        blobLink: "hard",
        chunkSize: 0x10_0000,
        isRepeatable: false,
        ignoreZeros: false,
        report: NO_REPORT,
        prefetch: [],
      },
      ...{ whiteouts: "oci", warn: () => {} },
    };
    await expect(createFrom(request)).rejects.toThrow(
      `${path}: not gzip, damaged or cut off: unexpected end of file`,
    );
    expect(existsSync(join(dir, "x.boot"))).toBe(false);
    vi.unstubAllEnvs();
  });
});

it("a file that is given several times is read once, is one blob, and is laid where it was given", async () => {
  const dir = scratchDir();
  const path = (name: string) => join(dir, name);
  writeFileSync(path("a"), tarOf([file("f", "a"), file("g"), { name: "odd", type: "Z", data: "" }]));
  writeFileSync(path("b"), tarOf([file("f", "b"), file(".wh.g", "")]));
  const warnings: string[] = [];
  const { bootstrap, blobs } = await createFrom({
    ...{ layers: ["a", "b", "a"].map(path), blobDir: dir, bootstrap: path("x.boot"), blobId: undefined },
    ...{ blobLink: "hard", chunkSize: 0x10_0000, isRepeatable: false, ignoreZeros: false },
    ...{ report: NO_REPORT, prefetch: [], whiteouts: "oci", warn: (message) => warnings.push(message) },
  });
  expect(warnings).toEqual([`${path("a")}: odd: unknown type "Z", taken for a file`]);
  expect(blobs.length).toBe(1);
  const { fs } = serve(bootstrap, { dirs: [dir], files: new Map() });
  expect(tree(fs).map((e) => e.path)).toEqual(["/", "/f", "/g", "/odd"]);
  expect(Buffer.from(content(fs, nodeAt(fs, "/f"), 1)).toString()).toBe("a");
});
