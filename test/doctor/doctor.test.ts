import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readMounts } from "../../src/mounts/table.ts";
import { COMMAND, run, shell, workDir } from "../support/daemon.ts";
import { ABSENT, loopsBelow } from "../support/kernel.ts";
import { forUser, USER } from "../support/user.ts";

interface Finding {
  readonly name: string;
  readonly state: string;
  readonly found: string;
  readonly advice?: string;
}

const NAMES = [
  ...["kernel", "fuse-device", "fusermount", "driver-fuse", "erofs", "loop-control"],
  ...["driver-erofs-file", "driver-erofs-loop", "user-namespaces", "overlayfs", "containerd"],
  ...["igzip", "pigz", "zstd", "xz", "bzip2"],
];

/** What scripts rely on. @returns states by name */
function checked(json: string): Record<string, string> {
  const findings = JSON.parse(json) as Finding[];
  expect(findings.map(({ name }) => name)).toEqual(NAMES);
  for (const { state, found, advice, ...rest } of findings) {
    expect(["ok", "warn", "missing"]).toContain(state);
    expect(found).not.toBe("");
    expect(state === "ok" ? advice : typeof advice).toBe(state === "ok" ? undefined : "string");
    expect(Object.keys(rest)).toEqual(["name"]);
  }
  return Object.fromEntries(findings.map(({ name, state }) => [name, state]));
}

describe("nydusd-ts doctor", () => {
  it("--json says what this host can do, and leaves nothing behind", async () => {
    const dir = workDir();
    const command = [process.execPath, COMMAND, "doctor", "--json"];
    const { status, stdout, stderr } = await shell('export TMPDIR=$1; shift; "$@"', dir, ...command);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const states = checked(stdout);
    expect(states["driver-fuse"]).toBe("ok");
    for (const [driver, reason] of Object.entries(ABSENT))
      expect(states[`driver-${driver}`], driver).toBe(reason === undefined ? "ok" : "missing");
    expect(readMounts().filter((m) => `${m.mountpoint} ${m.source}`.includes(dir))).toEqual([]);
    expect(loopsBelow(dir)).toEqual([]);
    expect(readdirSync(dir)).toEqual([]);
  });

  it("prints a table for people", () => {
    const { status, stdout, stderr } = run(["doctor"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    const named = lines.filter((line) => !/^ +-> /.test(line));
    expect(named.map((line) => /^(?:ok|warn|missing) +(\S+) {2,}\S/.exec(line)?.[1])).toEqual(NAMES);
    const troubled = named.filter((line) => !line.startsWith("ok ")).length;
    expect(lines.length - named.length).toBe(troubled);
  });

  it("works in a user namespace", async () => {
    const { status, stdout, stderr } = await shell(
      'unshare -Urm "$@" doctor --json',
      ...[process.execPath, COMMAND],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(checked(stdout)).toMatchObject({
      ...{ "driver-fuse": "ok", "driver-erofs-file": "missing", "driver-erofs-loop": "missing" },
    });
    expect(stdout).toContain("this process is in one");
  });

  it.each([
    ["with a /dev/fuse for everybody", 'chmod 666 "$3/fuse"', 0, "ok"],
    ["without", 'chmod 600 "$3/fuse"', 1, "missing"],
  ])("works for a user, %s", async (_, access, want, state) => {
    const { node, command, dir } = forUser();
    const script = `mknod "$3/fuse" c 10 229; ${access}; mount --bind "$3/fuse" /dev/fuse
      export TMPDIR=/proc # where nobody makes files: another place will do
      cd /; exec setpriv --reuid "$4" --regid "$4" --clear-groups "$1" "$2" doctor --json`;
    const { status, stdout, stderr } = await shell(
      'unshare -m bash -euc "$@"',
      ...[script, "bash", node, command, dir, `${USER}`],
    );
    expect({ status, stderr }).toEqual({ status: want, stderr: "" });
    const states = checked(stdout);
    expect(states).toMatchObject({
      "fuse-device": state,
      "driver-fuse": state,
      "driver-erofs-file": "missing",
    });
    expect(stdout).toContain(`user ${USER} may not mount EROFS`);
  });
});
