import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { SNAPSHOTTER } from "../support/containers/snapshotter.ts";
import { workDir } from "../support/daemon.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A copy of the program and of Node. @returns their paths */
function copied(nodeAt: string, programAt: string): { node: string; program: string } {
  for (const dir of [nodeAt, programAt]) mkdirSync(dir, { recursive: true });
  const node = join(nodeAt, "node");
  copyFileSync(process.execPath, node);
  for (const name of ["dist/bundle", "docs/systemd", "package.json"])
    cpSync(join(ROOT, name), join(programAt, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(programAt, "node_modules"));
  return { node, program: join(programAt, "dist/bundle/nydus-snapshotter-ts.js") };
}

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
  expect(service).toMatch(/^ExecStart=\S+ .*\/bin\/nydus-snapshotter-ts\.mjs"?$/m);
  for (const line of ["KillMode=process", "Restart=always", "Before=containerd.service docker.service"])
    expect(service).toContain(`\n${line}\n`);
});

it("quotes paths that a unit would read otherwise", () => {
  const dir = workDir();
  const [prefix, nodeAt, programAt] = [
    join(dir, "units"),
    join(dir, "a, b %n $HOME №1"),
    `${dir}/\tc "d" $f`,
  ];
  const { node, program } = copied(nodeAt, programAt);
  expect(run(node, program, "install", "--prefix", prefix)).toMatchObject({ status: 0 });
  const unit = join(prefix, "etc/systemd/system/nydus-snapshotter-ts.service");
  const words = [
    `"${dir}/a, b %%n $HOME №1/node"`,
    `"${dir}/\\u0009c \\"d\\" $$f/bin/nydus-snapshotter-ts.mjs"`,
  ];
  expect(readFileSync(unit, "utf8")).toContain(`\nExecStart=${words.join(" ")}\n`);
  const complaints = () =>
    run("systemd-analyze", "verify", "--man=no", unit)
      .stderr.split("\n")
      .filter((line) => line.includes("nydus-snapshotter"));
  expect(complaints()).toEqual([]);
  // It looks for the program.
  rmSync(node);
  expect(complaints()).toEqual([expect.stringContaining("is not executable")]);
});

it("says which place of Node no unit can name", () => {
  const dir = workDir();
  const { node, program } = copied(join(dir, "it's"), join(dir, "plain"));
  expect(run(node, program, "install", "--dry-run")).toMatchObject({
    ...{ status: 1, stdout: "" },
    stderr: `Error: ${node}: systemd takes no program in whose path is a quotation mark, a backslash or a control character\n`,
  });
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
