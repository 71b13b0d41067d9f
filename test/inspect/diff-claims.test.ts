import { createHash } from "node:crypto";
import { copyFileSync, linkSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { sideOfBare } from "../../src/inspect/bare-image.ts";
import { openImageView } from "../../src/inspect/image-view.ts";
import { tarOf } from "../mkfs/emit.ts";
import { file } from "../mkfs/support.ts";
import { scratchDir } from "../support/image.ts";
import { programRun } from "../support/programs.ts";

const BELIEVED = "believed to be the same by size and times, or by blob id: not read (--data reads them)\n";

let work = "";
let id = "";
const run = (...args: readonly string[]) => programRun("nydus-image-ts", args, work);
const diff = (...args: readonly string[]) => run("diff", "--cache-dir", "cache", ...args);

beforeAll(() => {
  work = scratchDir();
  for (const name of ["evil", "good", "copy"]) mkdirSync(join(work, name));
  writeFileSync(join(work, "a.tar"), tarOf([file("x", "same"), file("y", "1"), file("empty", "")]));
  writeFileSync(join(work, "evil/evil.tar"), tarOf([file("x", "evil"), file("y", "1"), file("empty", "")]));
  id = createHash("sha256")
    .update(readFileSync(join(work, "a.tar")))
    .digest("hex");
  run("create", "evil/evil.tar", "-B", "evil/evil.boot", "--blob-id", id);
  copyFileSync(join(work, "evil/evil.tar"), join(work, "evil", id));
  run("create", "a.tar", "-B", "good/a.boot");
  linkSync(join(work, "a.tar"), join(work, "good", id));
  copyFileSync(join(work, "good/a.boot"), join(work, "copy/a.boot"));
  copyFileSync(join(work, "a.tar"), join(work, "copy", id));
});

describe("the id that a bootstrap gives its blob is what it says, not what is there", () => {
  it.each([
    ["a.tar", "evil/evil.boot"],
    ["evil/evil.boot", "good/a.boot"],
  ])("%s %s: found by --data, believed without", (one, other) => {
    const read = diff(one, other, "--data", "--name-status");
    expect(read).toEqual({ status: 1, stdout: "M\t/x\n", stderr: "" });
    expect(diff(one, other, "--semantic", "-q").status).toBe(1);
    expect(diff(one, other)).toEqual({ status: 0, stdout: "", stderr: `warning: 2 ${BELIEVED}` });
    const { summary } = JSON.parse(diff(one, other, "--json").stdout);
    expect(summary).toMatchObject({ changed: 0, unread: 0, believed: 2 });
  });
  it.each([
    ["a.tar", "good/a.boot"],
    ["a.tar", "copy/a.boot"],
    ["copy/a.boot", "good/a.boot"],
  ])("%s %s: --data finds the same, whoever's the file is", (one, other) => {
    expect(diff(one, other, "--data")).toEqual({ status: 0, stdout: "", stderr: "" });
  });
  it("one bootstrap against itself has nothing to believe", () => {
    expect(diff("copy/a.boot", "copy/a.boot")).toEqual({ status: 0, stdout: "", stderr: "" });
  });
  it("a tar that is not there is missed by --data, with advice in options that there are", () => {
    copyFileSync(join(work, "good/a.boot"), join(work, "alone.boot"));
    expect(diff("a.tar", "alone.boot", "--data")).toEqual({
      ...{ status: 2, stdout: "" },
      stderr: `Error: blob ${id}: not found as ${id}, ${id}.tar (wanted: 3584 bytes); name its directory with --blob-dir\n`,
    });
  });
});

describe("a blob is known", () => {
  const keys = (path: string, dirs?: readonly string[]) => {
    const search = dirs === undefined ? undefined : { dirs: dirs.map((dir) => join(work, dir)) };
    const view = openImageView(join(work, path), search && { ...search, files: new Map() });
    return sideOfBare(view, join(work, path)).blobs.map((blob) => blob.keys);
  };
  it("by the file that it is, whatever leads to it", () => {
    const [, one] = keys("copy/a.boot", ["copy"]);
    expect(keys("good/a.boot", ["copy"])[1]).toEqual(one);
    expect(keys("good/a.boot", ["good"])[1]).not.toEqual(one);
  });
  it("by its image, where nobody opens it", () => {
    linkSync(join(work, "copy/a.boot"), join(work, "good/linked.boot"));
    expect(keys("copy/a.boot")).toEqual(keys("copy/../copy/a.boot"));
    expect(keys("good/linked.boot")[1]).not.toEqual(keys("copy/a.boot")[1]); // has another tar beside it
  });
});
