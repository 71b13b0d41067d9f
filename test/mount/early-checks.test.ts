import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { run } from "../support/daemon.ts";

describe("mount says what it knows before it reads a layer", () => {
  const dir = mkdtempSync(join(tmpdir(), "early-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const at = (name: string) => join(dir, name);
  // No layer at all: whoever reads it says so.
  writeFileSync(at("layer.tar.gz"), "no layer");
  for (const name of ["mnt", "full", "full/x", "open"]) mkdirSync(at(name), { mode: 0o777 });
  writeFileSync(at("file"), "");
  writeFileSync(at("list"), "relative\n");
  writeFileSync(at("config.json"), "{}");
  const none = at("none/x");

  it.each([
    ["a mountpoint that is not there", "none", [], /^Error: mountpoint \S+\/none: no such directory\n$/],
    ["one that is a file", "file", [], /^Error: mountpoint \S+\/file: not a directory\n$/],
    [
      "one that is not empty",
      "full",
      [],
      /^Error: mountpoint \S+\/full: not empty; choose another or use --force\n$/,
    ],
    ["one that is in use", "/proc", [], /^Error: mountpoint \/proc: .* is mounted there already; /],
    ["no mountpoint", "", [], /^Error: the mountpoint is an empty string\n$/],
    [
      "a prefetch list that is not there",
      "mnt",
      ["--prefetch-files", none],
      /^Error: prefetch list \S+\/none\/x: /,
    ],
    ["one that names no path", "mnt", ["--prefetch-files", at("list")], /^Error: prefetch list \S+\/list:?/],
    ["a log file", "mnt", ["--log-file", `${none}.log`], /^Error: log file \S+\/none\/x.log: /],
    ["a pid file", "mnt", ["--pid-file", none], /^Error: pid file \S+\/none\/x: no such directory\n$/],
    ["a trace", "mnt", ["--trace", none], /^Error: trace \S+\/none\/x: no such directory\n$/],
    ["an API socket", "mnt", ["--apisock", none], /^Error: apisock \S+\/none\/x: no such directory\n$/],
    ["a state directory", "mnt", ["--state-dir", at("file")], /^Error: state directory \S+\/file: /],
    ["a configuration", "mnt", ["--config", at("config.json")], /^Error: config \S+\/config.json: /],
    ["the layer, which comes last", "mnt", [], /layer\.tar\.gz/],
  ])("%s", (_, mountpoint, options, want) => {
    const place = mountpoint === "" || mountpoint.startsWith("/") ? mountpoint : at(mountpoint);
    const { status, stdout, stderr } = run([
      "mount",
      at("layer.tar.gz"),
      place,
      "--cache-dir",
      at("cache"),
      ...options,
    ]);
    expect(stderr).toMatch(want);
    expect([status, stdout]).toEqual([mountpoint === "" ? 2 : 1, ""]);
    if (!stderr.includes("layer.tar.gz")) expect(existsSync(at("cache"))).toBe(false);
  });
});
