import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openImageView } from "../../src/inspect/image-view.ts";
import { launch, sh, shell, until } from "../support/daemon.ts";
import { fixture, image, le, scratchDir } from "../support/image.ts";

const COMMAND = fileURLToPath(new URL("../../dist/bundle/nydus-image-ts.js", import.meta.url));
const WRAPPER = fileURLToPath(new URL("../../bin/nydus-image-ts.mjs", import.meta.url));
const BASIC_ID = "d78eabf8367832485d7b73fe5b0b94913a8052f3937e2826ec8c9e00d4ea09de";
const basic = fixture("01-basic");
const merged = fixture("12-merged");

function run(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [COMMAND, ...args], {
    encoding: "utf8",
    timeout: 240_000,
  });
  return { status, stdout, stderr };
}

const VALID = `RAFS filesystem metadata is valid, referenced data blobs: \n\t 0: ${BASIC_ID}, compressed size 30720, uncompressed size 30720, chunk size: 1048576, chunk count: 7, features: cap_toc\n`;

describe("what is right exits 0 and says nothing on stderr", () => {
  const blobs = merged.devices.flatMap((path, i) => ["--blob", `${i + 1}=${path}`]);
  const cases = [
    { args: ["check", basic.path], want: VALID },
    { args: ["check", "-B", basic.path, "-l", "warn"], want: VALID },
    { args: ["-l", "warn", "check", basic.path, "--blob", basic.devices[0], "--data"], want: VALID },
    { args: ["inspect", basic.path, "--request", "stats"], want: '{"inodes_count":21}' },
    { args: ["inspect", "-B", basic.path, "-R", "exit"], want: "null" },
    {
      args: ["ls", basic.path, "/lnk"],
      want: "lrwxrwxrwx 0:0               7 2023-11-14T22:13:20Z - /lnk -> etc/one\n",
    },
    { args: ["unpack", merged.path, ...blobs, "--output", "/dev/null"], want: "" },
    { args: ["stat", "-B", basic.path, "-J", "/dev/null"], want: "" },
  ];
  it.each(cases)("$args", ({ args, want }) =>
    expect(run(...args)).toEqual({ status: 0, stdout: want, stderr: "" }),
  );

  it("blobs, in one argument and as nydus-snapshotter looks for them", () => {
    const { stdout, status } = run("inspect", merged.path, "-R blobs");
    expect(status).toBe(0);
    expect(stdout).toContain('"blob_id":"1ff89c9540cd93875e0d8c5b69cba3ac946cf2f0d8e8aaf49f1303d83e459168"');
    expect(stdout.split("\n")).toHaveLength(1);
  });

  it("without a command: how to use it, as nydus-image", () => {
    const { status, stdout } = run();
    expect([status, stdout.split("\n")[0]]).toEqual([0, "Usage: nydus-image-ts [options] [command]"]);
  });
});

describe("what is wrong", () => {
  const cases = [
    {
      args: ["nope"],
      status: 2,
      want: "Error: unknown command 'nope'; want create, merge, check, inspect, stat, ls, unpack, export, verify, explain, cat, du, diff, find, tree, completion\n",
    },
    { args: ["check"], status: 2, want: "Error: missing argument: the path of the bootstrap\n" },
    {
      args: ["check", "a", "-B", "b"],
      status: 2,
      want: "Error: the image is named twice: a and --bootstrap b\n",
    },
    {
      args: ["check", "a", "-C", "c", "-D", "d"],
      status: 2,
      want: "Error: --config cannot be used together with --blob-dir or --blob\n",
    },
    {
      args: ["unpack", "a", "-b", "b", "-b", "c", "--output", "-"],
      status: 2,
      want: "Error: --blob is given twice without an id: want ID=PATH\n",
    },
    { args: ["unpack", "a"], status: 2, want: "Error: required option '--output <tar>' not specified\n" },
    {
      args: ["check", "-l", "loud", "a"],
      status: 2,
      want: "Error: option '-l, --log-level <level>' argument 'loud' is invalid. Allowed choices are error, warn, info, debug, trace.\n",
    },
    { args: ["check", "/no/where"], status: 1, want: "Error: bootstrap /no/where: no such file\n" },
    {
      args: ["inspect", basic.path, "-R", "icheck x"],
      status: 1,
      want: "Error: invalid arguments in inspect request `icheck x`\n",
    },
    { args: ["ls", basic.path, "nope"], status: 1, want: "Error: nope: no such file in the image\n" },
    { args: ["stat", "-B", "/no/where"], status: 1, want: "Error: bootstrap /no/where: no such file\n" },
    {
      args: ["check", basic.path, "-C", "/no/where"],
      status: 1,
      want: "Error: config /no/where: ENOENT: no such file or directory, open '/no/where'\n",
    },
  ];
  it.each(cases)("$args exits $status with one line", ({ args, status, want }) => {
    const found = run(...args);
    expect([found.status, found.stderr]).toEqual([status, want]);
  });

  it("with the image is the line of the check", () => {
    const { path } = image("01-basic", [1024, "00"]);
    expect(run("check", path)).toEqual({
      status: 1,
      stdout: "",
      stderr: `Error: ${path} @0x400: magic is 0xe0f5e100, want 0xe0f5e1e2\n`,
    });
  });
});

/** A directory with an image, its tar beside it, and a configuration that names the directory. */
function layers() {
  const dir = scratchDir();
  copyFileSync(basic.path, join(dir, "image.boot"));
  copyFileSync(basic.devices[0], join(dir, BASIC_ID));
  const config = { device: { backend: { type: "localfs", config: { dir } } }, mode: "direct" };
  writeFileSync(join(dir, "config.json"), JSON.stringify(config));
  return { dir, boot: join(dir, "image.boot"), config: join(dir, "config.json") };
}

describe("the tars are found", () => {
  const { dir, boot, config } = layers();
  const moved = { cwd: "/", path: basic.path };
  it.each([
    { how: "beside the bootstrap", args: [boot] },
    { how: "in a directory, whichever", args: [moved.path, "-D", "/no/where", "-D", dir] },
    { how: "where a configuration says", args: [moved.path, "-C", config] },
    { how: "by the one name that is given", args: [moved.path, "-b", basic.devices[0]] },
    { how: "by their id", args: [moved.path, "-b", `${BASIC_ID}=${basic.devices[0]}`] },
  ])("$how", ({ args }) => {
    const out = join(scratchDir(), "out.tar");
    expect(run("unpack", ...args, "--output", out)).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(sh('tar -tf "$T" | wc -l', { T: out })).toBe("21\n");
  });
});

describe("in a pipe", () => {
  const script = (text: string, ...args: string[]) =>
    shell(text, process.execPath, COMMAND, basic.path, ...args);

  it("unpack streams", async () => {
    const { status, stdout, stderr } = await script(
      '"$1" "$2" unpack "$3" -b "$4" --output - | tar -xO etc/b4097 | wc -c',
      basic.devices[0],
    );
    expect([status, stdout, stderr]).toEqual([0, "4097\n", ""]);
  });

  it("ls ends quietly when its pipe is closed", async () => {
    const big = fixture("06-bigdir").path;
    const { stdout, stderr } = await script('("$1" "$2" ls "$4" --json || true) | head -n 1', big);
    expect([JSON.parse(stdout).path, stderr]).toEqual(["/", ""]);
  });

  it("inspect takes its commands from there", async () => {
    const { status, stdout, stderr } = await script('printf "cd bin\\nls\\n" | "$1" "$2" inspect "$3"');
    const prompt = "Inspecting RAFS :> ";
    const list = '-    140      "busybox"\n-    140      "dash"\n-    140      "sh"\n';
    expect([status, stdout, stderr]).toEqual([0, `${prompt}${prompt}${list}${prompt}`, ""]);
  });
});

it("nydus-image-ts ends by the signal it gets, and leaves nothing behind", async () => {
  const out = join(scratchDir(), "out");
  mkdirSync(out);
  const path = endless();
  const child = launch(process.execPath, [COMMAND, "unpack", path, "--output", join(out, "big.tar")]);
  const ended = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  await until(() => readdirSync(out).some((name) => name.endsWith(".tmp")), "the temporary file");
  child.kill("SIGTERM");
  expect(await ended).toBe("SIGTERM");
  expect(readdirSync(out)).toEqual([]);
});

/** An image with a file that is one hole of 4 TiB. */
function endless(): string {
  const { path } = fixture("14-rafs4k-disk");
  const { image: opened } = openImageView(path);
  const nid = fixture("14-rafs4k-disk").entries.find((e) => e.path === "/empty")?.ino ?? 0;
  const at = opened.inodeAt(nid);
  return image(
    "14-rafs4k-disk",
    [at, le(1, 2)], // extended, flat and plain
    [at + 6, "ffff"],
    [at + 8, le(2 ** 42, 8)],
    [at + 16, "ffffffff"],
  ).path;
}

it("the wrapper that npm links runs nydus-image-ts", () => {
  const { stdout } = spawnSync(WRAPPER, ["--version"], { encoding: "utf8" });
  expect(stdout).toMatch(/^Version: \t\S+\nGit Commit: \t/);
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(stdout).toContain(version);
});
