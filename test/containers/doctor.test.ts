import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startContainerd } from "../support/containers/containerd.ts";
import { follow, type PrintedLines } from "../support/containers/containerd-lines.ts";
import { type ContainerdOptions, PROXY, proxyPlaces } from "../support/containers/containerd-config.ts";
import { type Engine, ENGINES, NO_CONTAINERS } from "../support/containers/engines.ts";
import { threeLayers } from "../support/containers/images.ts";
import { ROUTES } from "../support/containers/routes.ts";
import { SNAPSHOTTER, startSnapshotter } from "../support/containers/snapshotter.ts";
import { workDir } from "../support/daemon.ts";
import { needs } from "../support/needs.ts";

interface Report {
  readonly works: boolean;
  readonly findings: readonly { readonly name: string; readonly state: string; readonly found: string }[];
  readonly lines: readonly PrintedLines[];
}

/** @returns its exit status, what it says, and the states by name */
function doctor(dir: string, ...more: string[]) {
  const { root, address } = proxyPlaces(dir);
  const places = ["--root", root, "--address", address, "--containerd-address", join(dir, "containerd.sock")];
  const words = [SNAPSHOTTER, "doctor", "--json", ...places, ...more];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, {
    encoding: "utf8",
    timeout: 120_000,
  });
  if (stdout === "") throw new Error(stderr);
  const report: Report = JSON.parse(stdout);
  const states = Object.fromEntries(report.findings.map(({ name, state }) => [name, state]));
  return { status, report, states, stderr };
}

/** A containerd that knows nothing of us. @param isFull its file says all that it takes by default */
async function plainContainerd(engine: Engine, options: ContainerdOptions, isFull: boolean) {
  const dir = workDir();
  await startSnapshotter(dir);
  const containerd = await startContainerd(engine, options, dir);
  const file = join(dir, "config.toml");
  if (isFull) {
    const { stdout } = spawnSync(engine.containerd, ["--config", file, "config", "dump"], {
      encoding: "utf8",
    });
    writeFileSync(file, stdout.replace(/^imports = .*$/m, ""));
    await containerd.end();
    await containerd.start();
  }
  return { dir, containerd, file };
}

describe.each(ENGINES)("nydus-snapshotter-ts doctor, $name", (engine) => {
  needs(NO_CONTAINERS);

  it.each([
    ["says little", false],
    ["says everything", true],
  ])("prints the lines that make pulls work, for a file that %s", async (_, isFull) => {
    const { dir, containerd } = await plainContainerd(engine, {}, isFull);
    const before = doctor(dir);
    expect(before.status).toBe(1);
    const wiring = ["proxy-snapshotter", "proxy-differ", "route-diff-service", "route-transfer"];
    for (const name of wiring) expect(before.states[name], name).toBe("missing");
    expect(before.states).toMatchObject({ containerd: "ok", "containerd-config": "ok", snapshotter: "ok" });
    const lines = before.report.lines.filter((each) => each.for === "containerd");
    expect(lines.map(({ how }) => how)).toEqual(isFull ? ["append", "change"] : ["append"]);
    // What 1.7 writes down by itself leaves the differ of overlayfs open; it may then take ours, by chance.
    const isLoose = isFull && engine.major === 1;
    expect(lines.at(-1)?.text.includes('snapshotter = "overlayfs"\n  differ = "walking"')).toBe(
      !isFull || isLoose,
    );
    for (const each of lines) follow(each);
    const unstarted = doctor(dir);
    expect(unstarted.report.findings.find(({ name }) => name === "proxy-differ")?.found).toContain(
      "not loaded",
    );
    await containerd.end();
    await containerd.start();
    const after = doctor(dir);
    expect(after.report.findings.filter(({ state }) => state === "missing")).toEqual([]);
    expect({ status: after.status, lines: after.report.lines }).toEqual({ status: 0, lines: [] });
    for (const { name, get } of ROUTES) {
      const image = await get(containerd, threeLayers(), PROXY);
      const said = await containerd.ask(
        "run",
        "--rm",
        "--snapshotter",
        PROXY,
        image,
        "one",
        "/bin/cat",
        "/opt/kept/a",
      );
      expect(said, name).toBe("second\n");
      await containerd.ask("image", "rm", "--sync", image);
    }
    expect(readFileSync(join(dir, "snapshotter.log"), "utf8")).not.toContain("unpacks it itself");
    // Another snapshotter is as good as before.
    const other = await ROUTES[3]?.get(containerd, threeLayers(), "overlayfs");
    expect(other).toContain("test.invalid");
  });

  it("prints the lines for Kubernetes, which has pods on it then, all or some", async () => {
    const { dir, containerd } = await plainContainerd(engine, { cri: true }, true);
    const { states, report } = doctor(dir);
    expect(states["kubernetes"]).toBe("warn");
    const kinds = [...new Set(report.lines.map((each) => each.for))];
    expect(kinds).toEqual(["containerd", "kubernetes", "runtime-handler"]);
    const take = async (what: string) => {
      for (const each of report.lines.filter((l) => l.for === what)) follow(each);
      await containerd.end();
      await containerd.start();
      return doctor(dir);
    };
    await take("containerd");
    const some = await take("runtime-handler");
    expect(some.states["kubernetes"]).toBe("ok");
    expect(some.report.findings.find(({ name }) => name === "kubernetes")?.found).toContain(
      "runtime handler tarfs",
    );
    const all = await take("kubernetes");
    expect(all.report.findings.find(({ name }) => name === "kubernetes")?.found).toBe(
      "all pods are run by tarfs",
    );
    expect(all.report.lines).toEqual([]);
  });

  it("says of which images containerd has no layers any more", async () => {
    const { dir, containerd } = await plainContainerd(engine, {}, false);
    const image = await ROUTES[2]?.get(containerd, threeLayers(), "overlayfs");
    expect(doctor(dir).states["discarded-layers"]).toBe("ok");
    const digest = /sha256:\w+(?=.*\n?$)/m.exec(
      (await containerd.ask("content", "ls")).split("\n").find((line) => line.includes("uncompressed")) ?? "",
    )?.[0];
    await containerd.ask("content", "rm", digest ?? "");
    const { report } = doctor(dir);
    const found = report.findings.find(({ name }) => name === "discarded-layers");
    expect(found).toMatchObject({ state: "warn", found: expect.stringContaining(`/${image}`) });
  });
});

describe("nydus-snapshotter-ts doctor without containerd", () => {
  it.each([
    ["1.7", "version = 2\n", '[plugins."io.containerd.grpc.v1.cri".containerd]', false],
    ["2.0", "version = 3\n", '[plugins."io.containerd.cri.v1.images"]', false],
    ["2.4", "version = 3\n", '[plugins."io.containerd.cri.v1.images"]', true],
  ])("prints the lines of %s", (version, top, cri, isParallel) => {
    const dir = workDir();
    const file = join(dir, "none.toml");
    const { status, report } = doctor(dir, "--containerd-config", file, "--containerd-version", version);
    expect(status).toBe(1);
    const [lines, all] = report.lines;
    expect(lines?.text.startsWith(top)).toBe(true);
    expect(lines?.text.includes('"rebase"')).toBe(isParallel);
    expect(all?.text).toBe(`${cri}\n  snapshotter = "tarfs"`);
    expect(existsSync(file)).toBe(false);
  });

  it.each([
    ["version = 1\n[grpc]\n", "of version 1"],
    ["[grpc]\n", "of version 1"],
    ["version = \n", "is not valid TOML"],
  ])("names what is wrong with a file %j", (text, want) => {
    const dir = workDir();
    const file = join(dir, "config.toml");
    writeFileSync(file, text);
    const { status, report } = doctor(dir, "--containerd-config", file, "--containerd-version", "1.7");
    const found = report.findings.find(({ name }) => name === "containerd-config");
    expect({ status, state: found?.state, lines: report.lines }).toEqual({
      status: 1,
      state: "missing",
      lines: [],
    });
    expect(found?.found).toContain(want);
  });

  it("says so, and what to do", () => {
    const { status, report, states } = doctor(workDir());
    expect({ status, lines: report.lines, works: report.works }).toEqual({
      status: 1,
      lines: [],
      works: false,
    });
    expect(states).toMatchObject({ containerd: "missing", snapshotter: "missing" });
  });

  it("takes no version that is none", () => {
    const words = [SNAPSHOTTER, "doctor", "--containerd-version", "new"];
    const { status, stderr } = spawnSync(process.execPath, words, { encoding: "utf8" });
    expect(status).toBe(2);
    expect(stderr).toContain("want a release");
  });
});
