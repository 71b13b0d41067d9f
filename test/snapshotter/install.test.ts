import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SNAPSHOTTER } from "../support/containers/snapshotter.ts";
import { workDir } from "../support/daemon.ts";

const run = (command: string, ...words: string[]) =>
  spawnSync(command, words, { encoding: "utf8", timeout: 60_000 });
const install = (...words: string[]) => run(process.execPath, SNAPSHOTTER, "install", ...words);

it("writes units that systemd has nothing against", () => {
  const prefix = workDir();
  const { status, stdout } = install("--prefix", prefix);
  const dir = join(prefix, "etc/systemd/system");
  expect({ status, written: readdirSync(dir).sort() }).toEqual({
    ...{ status: 0, written: ["nydus-snapshotter-ts.service", "nydus-snapshotter-ts.socket"] },
  });
  expect(stdout).toContain("systemctl enable --now nydus-snapshotter-ts.socket");
  const units = readdirSync(dir).map((name) => join(dir, name));
  const said = run("systemd-analyze", "verify", "--man=no", ...units);
  // It also reads the units of the machine, which are no matter of ours.
  expect(said.stderr.split("\n").filter((line) => line.includes("nydus-snapshotter"))).toEqual([]);
  const service = readFileSync(join(dir, "nydus-snapshotter-ts.service"), "utf8");
  expect(service).toMatch(/^ExecStart=\/\S+\/node \/\S+\/bin\/nydus-snapshotter-ts\.mjs$/m);
  for (const line of ["KillMode=process", "Restart=always", "Before=containerd.service docker.service"])
    expect(service).toContain(`\n${line}\n`);
});

it("writes nothing with --dry-run", () => {
  const prefix = workDir();
  const { stdout } = install("--dry-run", "--prefix", prefix);
  expect(stdout).toContain("\nListenStream=/run/nydus-snapshotter-ts/snapshotter.sock\n");
  expect(readdirSync(prefix)).toEqual([]);
});

it("what is wrong would be told", () => {
  const prefix = workDir();
  install("--prefix", prefix);
  const unit = join(prefix, "etc/systemd/system/nydus-snapshotter-ts.service");
  spawnSync("sed", ["-i", "s/KillMode=process/KillMode=none-such/", unit]);
  expect(run("systemd-analyze", "verify", "--man=no", unit).stderr).toContain("kill mode");
});
