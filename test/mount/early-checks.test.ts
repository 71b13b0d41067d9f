import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMAND, run, shell } from "../support/daemon.ts";

describe("mount says what it knows before it reads a layer", () => {
  const servers = [createServer(), createServer()];
  const dir = mkdtempSync(join(tmpdir(), "early-"));
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(dir, { recursive: true });
  });
  const at = (name: string) => join(dir, name);
  // No layer at all: whoever reads it says so.
  writeFileSync(at("layer.tar.gz"), "no layer");
  for (const name of ["mnt", "full", "full/x", "open"]) mkdirSync(at(name), { mode: 0o777 });
  writeFileSync(at("file"), "");
  writeFileSync(at("list"), "relative\n");
  writeFileSync(at("config.json"), "{}");
  const none = at("none/x");

  for (const name of ["odd", "odd2"]) mkdirSync(at(name));
  writeFileSync(at("odd/upper"), "");
  writeFileSync(at("odd2/work"), "");
  let port = 0;
  beforeAll(async () => {
    await Promise.all([
      new Promise<void>((done) => servers[0].listen(at("sock"), done)),
      new Promise<void>((done) => servers[1].listen(0, "127.0.0.1", done)),
    ]);
    port = (servers[1].address() as AddressInfo).port;
  });

  it("an address of the metrics that is taken", async () => {
    const args = ["mount", at("layer.tar.gz"), at("mnt"), "--metrics-address", `${port}`];
    const { status, stderr } = await shell('exec "$@"', process.execPath, COMMAND, ...args);
    expect([status, stderr]).toEqual([
      1,
      `Error: metrics address 127.0.0.1:${port}: another process listens there\n`,
    ]);
  });
  it("an API socket at which a process answers", async () => {
    const args = ["mount", at("layer.tar.gz"), at("mnt"), "--apisock", at("sock")];
    const { status, stderr } = await shell('exec "$@"', process.execPath, COMMAND, ...args);
    expect([status, stderr]).toEqual([1, `Error: apisock ${at("sock")}: another process answers there\n`]);
  });

  it.each([
    ["a mountpoint that is not there", "none", [], /^Error: mountpoint \S+\/none: no such directory\n$/],
    [
      "one that is a file",
      "file",
      [],
      /^Error: mountpoint \S+\/file: not a directory: the image comes first, then the directory to mount it on\n$/,
    ],
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
    ["a file in place of an API socket", "mnt", ["--apisock", at("file")], /: is there, and is no socket\n$/],
    ["a file for changes", "mnt", ["--rw", at("file")], /^Error: --rw \S+\/file: not a directory: want /],
    [
      "changes that are none",
      "mnt",
      ["--rw", at("odd")],
      /^Error: --rw \S+\/odd: \S+\/odd\/upper is not a directory: want /,
    ],
    [
      "a work directory that is none",
      "mnt",
      ["--rw", at("odd2")],
      /: \S+\/odd2\/work is not a directory: want /,
    ],
    [
      "changes nowhere",
      "mnt",
      ["--rw", none],
      /^Error: --rw \S+: there is no directory \S+\/none: make it first\n$/,
    ],
    [
      "changes below the mountpoint",
      "mnt",
      ["--rw", at("mnt/changes")],
      /^Error: --rw \S+: lies below the mountpoint, where the image will hide it: choose a directory beside \S+\n$/,
    ],
    [
      "changes in the mountpoint",
      "mnt",
      ["--rw", at("mnt")],
      /^Error: --rw \S+: lies below the mountpoint, /,
    ],
    ["an empty name for changes", "mnt", ["--rw", ""], /^Error: --rw : an empty string: want a directory /],
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
