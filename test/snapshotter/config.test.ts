import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readSnapshotterConfig } from "../../src/snapshotter/config.ts";
import { SNAPSHOTTER } from "../support/containers/snapshotter.ts";
import { until, workDir } from "../support/daemon.ts";

function file(text: string): string {
  const path = join(workDir(), "config.toml");
  writeFileSync(path, text);
  return path;
}
const read = (text: string) => readSnapshotterConfig(file(text));

it("takes all keys", () =>
  expect(
    read(`version = 1
root = "/r"
address = "/a"
containerd_address = "/c"
driver = "fuse"
skip_known_layers = true
[experimental.tarfs]
export_mode = "image_block"
[log]
level = "debug"
[metrics]
address = "9110"`),
  ).toEqual({
    ...{ root: "/r", address: "/a", containerdAddress: "/c", driver: "fuse", skipKnownLayers: true },
    ...{ logLevel: "debug", exportMode: "image_block" },
    ...{ metricsAddress: "9110", warnings: [] },
  }));

it("warns of what nobody knows", () => {
  const { warnings } = read('version = 1\nrot = "/r"\n[log]\nlevle = "info"');
  expect(warnings).toEqual([
    expect.stringMatching(/^config \S+: rot: unknown key, ignored$/),
    expect.stringMatching(/^config \S+: log\.levle: unknown key, ignored$/),
  ]);
});

describe("refuses", () => {
  it.each([
    ["", /: version: is missing, want 1$/],
    ["version = 2", /: version: is 2, want 1$/],
    ["version = 1\nroot = 5", /: root: is a number, want a string$/],
    ['version = 1\nroot = ""', /: root: is empty, want a path$/],
    ['version = 1\ndriver = "blockdev"', /: driver: is "blockdev", want "auto" or /],
    ['version = 1\n[log]\nlevel = "loud"', /: log\.level: is "loud", want "error" or /],
    ["version = 1\nroot", /: is not valid TOML: .*\(line 2, column \d+\)$/],
    [
      "version = 1\n[daemon]\nfs_driver = 'fusedev'",
      /: daemon: is nydus-snapshotter's, .*"driver" says what/,
    ],
    ["version = 1\n[remote.auth]\nenable_cri_keychain = true", /: remote: .*containerd fetches layers/],
    [
      "version = 1\n[experimental.tarfs]\nenable_tarfs = true",
      /: experimental\.tarfs\.enable_tarfs: .*every layer is a tar/,
    ],
    ["version = 1\n[experimental]\nenable_stargz = true", /: experimental\.enable_stargz: /],
    ['version = 1\n[experimental.tarfs]\nexport_mode = "image_verity_only"', /tarfs\.export_mode: is /],
    ["version = 1\n[log]\ndir = '/var/log'", /: log\.dir: .*standard error/],
    ["version = 1\n[log]\nrotate_log_max_size = 100", /: log\.rotate_log_max_size: .*the journal/],
    ["version = 1\nuid = 1000", /: uid: .*for root only/],
  ])("%j", (text, want) => expect(() => read(text)).toThrow(want));
});

describe("--config", () => {
  const run = (...words: string[]) =>
    spawnSync(process.execPath, [SNAPSHOTTER, ...words], { encoding: "utf8", timeout: 60_000 });

  it("is overridden by options; other commands find the snapshotter by it", async () => {
    const dir = workDir();
    const config = file(
      `version = 1\nroot = "${dir}/r"\naddress = "${dir}/file.sock"\n[log]\nlevel = "error"\n[metrics]\naddress = "0"`,
    );
    const child = spawn(process.execPath, [SNAPSHOTTER, "--config", config, "--address", `${dir}/line.sock`]);
    let said = "";
    child.stdout.on("data", (chunk) => {
      said += chunk;
    });
    try {
      await until(() => said.includes("\n"), "a snapshotter that is ready");
      expect(said).toMatch(new RegExp(`^ready ${dir}/line.sock metrics=127.0.0.1:\\d+\n$`));
      expect(run("du", "--config", config, "--address", `${dir}/line.sock`)).toMatchObject({ status: 0 });
      expect(run("du", "--config", config).stderr).toContain(`${dir}/file.sock: no snapshotter answers`);
    } finally {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
  });

  it("that cannot be is told in one line", () => {
    const { status, stderr } = run("--config", file('version = 1\n[metrics]\naddress = ":9110"'));
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^Error: config \S+: metrics\.address: is :9110, want \[HOST:\]PORT\n$/),
    });
  });
});
