import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { longerBlobs } from "../../src/fs/longer-blobs.ts";
import { openImage } from "../../src/fs/open-image.ts";
import { tarOf } from "../mkfs/emit.ts";
import { build, file } from "../mkfs/support.ts";
import { emptyDir, run } from "../support/daemon.ts";
import { fixture, placesOf, scratchDir } from "../support/image.ts";

const { path, devices } = fixture("01-basic");
const TAR = readFileSync(devices[0]);
const told = (...more: Uint8Array[]) => {
  const tar = join(scratchDir(), "given.tar");
  writeFileSync(tar, Buffer.concat([TAR, ...more]));
  return { tar, lines: longerBlobs(openImage(path, placesOf([tar]))) };
};

describe("a blob that is longer than its image was made of", () => {
  it("is told of when more than zeros follow", () => {
    const { tar, lines } = told(Buffer.alloc(512), Buffer.from("x"));
    expect(lines).toEqual([
      expect.stringMatching(
        new RegExp(
          `^blob \\w{64}: ${tar} has ${TAR.length + 513} bytes, and the image was made of ${TAR.length}: `,
        ),
      ),
    ]);
  });
  it.each([0, 1, 512, 10_240, 1 << 20])("is as good as any where %d zeros follow", (length) => {
    expect(told(Buffer.alloc(length)).lines).toEqual([]);
  });
  it("is not one whose tar ends inside a block, with what a file has", async () => {
    const dir = scratchDir();
    const tar = join(dir, "cut.tar");
    const bootstrap = join(dir, "cut.boot");
    const cut = tarOf([file("f", "x".repeat(700))]).subarray(0, 1212);
    writeFileSync(tar, cut);
    await build(tar, { bootstrap });
    const lines = () => longerBlobs(openImage(bootstrap, placesOf([tar])));
    expect(lines()).toEqual([]);
    writeFileSync(tar, Buffer.concat([cut, Buffer.alloc(10), Buffer.from("x")]));
    expect(lines()).toEqual([expect.stringMatching(/ has 1223 bytes, and the image was made of 1212: /)]);
  });
  it("is mounted all the same, with a warning", () => {
    const { tar } = told(Buffer.from("x"));
    const mountpoint = emptyDir();
    const { status, stderr } = run(["mount", "--driver", "fuse", path, mountpoint, "--blob", `1=${tar}`]);
    expect([status, stderr.match(/the image was made of/g)]).toEqual([0, ["the image was made of"]]);
    expect(run(["umount", mountpoint]).status).toBe(0);
  });
});
