import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programRun } from "../support/programs.ts";

const DIR = mkdtempSync(join(tmpdir(), "idle-"));
beforeAll(() => {
  const script = "echo hello >f; tar -cf one.tar f; tar -czf two.tar.gz f; mkdir blobs";
  expect(spawnSync("sh", ["-c", script], { cwd: DIR }).status).toBe(0);
  writeFileSync(join(DIR, "config.json"), "{}");
  expect(image("create one.tar -B one.boot").status).toBe(0);
});
afterAll(() => rmSync(DIR, { recursive: true }));

function image(line: string) {
  const { status, stderr } = programRun("nydus-image-ts", line.split(" "), DIR);
  return { status, stderr };
}

describe("an option of nydus-image-ts that changes nothing is told", () => {
  const create = "create -B out.boot -D blobs";
  it.each([
    [
      `${create} one.tar --drop-unreferenced`,
      "--drop-unreferenced has no effect: one layer refers to its tar",
    ],
    [`${create} one.tar two.tar.gz --drop-unreferenced`, ""],
    [
      "create -B out.boot one.tar --blob-link hard",
      "--blob-link has no effect: without --blob-dir tars stay where they are",
    ],
    [
      `${create} two.tar.gz --blob-link hard`,
      "--blob-link has no effect on two.tar.gz, which is compressed or comes through a pipe",
    ],
    [`${create} one.tar --blob-link none`, ""],
    [
      `${create} one.tar --compressor zstd`,
      "--compressor has no effect: the data stay in tars, uncompressed",
    ],
    [`${create} one.tar --log-file l`, "--log-file has no effect: create keeps no log"],
    [`${create} one.tar`, ""],
    ["inspect one.boot -R stats -D blobs", "--blob-dir has no effect: inspect reads no tars"],
    ["inspect one.boot -R stats -C config.json", "--config has no effect: inspect reads no tars"],
    ["--log-file l ls one.boot", "--log-file has no effect: ls keeps no log"],
    ["unpack one.boot -b one.tar --output out.tar --log-file l", ""],
  ])("%s", (line, warning) =>
    expect(image(line)).toEqual({ status: 0, stderr: warning === "" ? "" : `warning: ${warning}\n` }),
  );
});
