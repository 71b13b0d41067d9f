import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { tarOf } from "../mkfs/emit.ts";
import { file } from "../mkfs/support.ts";
import { LAYERS, ociDir } from "../source/images.ts";
import { sh } from "../support/daemon.ts";
import { scratchDir } from "../support/image.ts";
import { programRun } from "../support/programs.ts";

const NO_IMAGES = "no OCI layout, no archive of images";
const NO_BOOTSTRAP = "it says where the tars of a bootstrap are";

let work = "";
beforeAll(() => {
  work = scratchDir();
  writeFileSync(join(work, "a.tar"), tarOf([file("a", "1")]));
  writeFileSync(join(work, "b.tar"), tarOf([file("a", "2")]));
  ociDir(join(work, "oci"), LAYERS, "app:1");
  sh('cd "$W"; mkdir boots tars; mkfs.erofs --quiet boots/own.erofs tars', { W: work });
  expect(
    programRun("nydus-image-ts", ["create", "a.tar", "-B", "boots/a.boot", "-D", "tars"], work).status,
  ).toBe(0);
});
const run = (...args: readonly string[]) =>
  programRun("nydus-image-ts", ["diff", "--cache-dir", "cache", ...args], work);

describe("an option for one of two images of different kinds", () => {
  it.each([
    ["oci", "a.tar", ["--ref", "app:1"]],
    ["a.tar", "oci", ["--ref", "app:1"]],
    ["oci", "boots/a.boot", ["--ref", "app:1", "--platform", "linux/amd64", "--data", "--blob-dir", "tars"]],
    ["boots/a.boot", "b.tar", ["--data", "--blob-dir", "tars"]],
    ["b.tar", "boots/a.boot", ["--data", "--blob-dir", "tars"]],
  ])("%s %s is for that which it has a meaning for: %j", (one, other, options) => {
    const { status, stderr } = run(one, other, ...options);
    expect([status, stderr]).toEqual([1, ""]);
  });
  it.each([
    ["a.tar", "b.tar", ["--ref", "x"], `--ref has no meaning for a.tar, b.tar: ${NO_IMAGES}`],
    ["a.tar", "a.tar", ["--platform", "linux/arm64"], `--platform has no meaning for a.tar: ${NO_IMAGES}`],
    ["a.tar", "b.tar", ["--blob-dir", "tars"], `--blob-dir has no meaning for a.tar, b.tar: ${NO_BOOTSTRAP}`],
    ["oci", "a.tar", ["--ref", "app:1", "--ref", "x"], `--ref has no meaning for a.tar: ${NO_IMAGES}`],
    ["a.tar", "oci", ["--ref", "x", "--ref", "app:1"], `--ref has no meaning for a.tar: ${NO_IMAGES}`],
    ["a.tar", "--layer=1", ["--ref", "x"], `--ref has no meaning for a.tar: ${NO_IMAGES}`],
  ])("%s %s: none for either is an error: %j", (one, other, options, problem) => {
    expect(run(one, other, ...options)).toEqual({ status: 2, stdout: "", stderr: `Error: ${problem}\n` });
  });
});

describe("output has one form", () => {
  it.each([
    [["--json", "--name-status"], "--json and --name-status: want one of them"],
    [["--json", "--stat"], "--json and --stat: want one of them"],
    [["--stat", "--name-status", "-0"], "--name-status and --stat: want one of them"],
    [["-q", "--json"], "--json and --quiet: want one of them"],
    [["-0", "--json"], "--null has no meaning with --json: it is --name-status for programs"],
    [["-0", "--stat"], "--null has no meaning with --stat: it is --name-status for programs"],
    [["-0", "-q"], "--null has no meaning with --quiet: it is --name-status for programs"],
  ])("%j", (options, problem) => {
    expect(run("a.tar", "b.tar", ...options)).toEqual({
      status: 2,
      stdout: "",
      stderr: `Error: ${problem}\n`,
    });
  });
  it("and -0 is that of --name-status", () => {
    expect(run("a.tar", "b.tar", "--data", "-0", "--name-status")).toEqual(
      run("a.tar", "b.tar", "--data", "-0"),
    );
  });
});

describe("what changes nothing is told", () => {
  const about = "warning: --bytes has no effect: it is about the sizes of the table, and of --stat\n";
  const unread = "warning: --blob-dir has no effect: without --data no tar of a bootstrap is read\n";
  it.each([
    [["a.tar", "b.tar", "--data", "--json", "-b"], about],
    [["a.tar", "b.tar", "--data", "--name-status", "-b"], about],
    [["a.tar", "b.tar", "--data", "-0", "-b"], about],
    [["a.tar", "b.tar", "--data", "-q", "-b"], ""],
    [["a.tar", "b.tar", "--data", "--stat", "-b"], ""],
    [["boots/a.boot", "boots/own.erofs", "--blob-dir", "tars"], unread],
    [["boots/a.boot", "oci", "--blob-dir", "tars"], ""],
  ])("%j", (args, warning) => {
    const { status, stderr } = run(...args);
    expect([status, stderr]).toEqual([1, warning]);
  });
});

describe("diff -q", () => {
  it.each([
    [["a.tar", "b.tar"], 0],
    [["a.tar", "b.tar", "--data"], 1],
    [["a.tar", "boots/a.boot"], 0],
    [["boots/a.boot", "boots/a.boot", "--blob-dir", "tars"], 0],
  ])("%j says nothing, also of what it believes: status %i", (args, status) => {
    expect(run(...args, "-q")).toEqual({ status, stdout: "", stderr: "" });
  });
  it("says what cannot be done", () => {
    expect(run("a.tar", "none.tar", "-q")).toEqual({
      ...{ status: 2, stdout: "", stderr: "Error: none.tar: no such file\n" },
    });
  });
});
