import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  hasEnded,
  ask,
  blobFlags,
  COMMAND,
  emptyDir,
  isMounted,
  launch,
  run,
  shell,
  startFixture,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

const { path, devices } = fixture("04-large");
const FLAGS = ["-B", path, ...blobFlags(devices)];
const LISTING = ["exact256k", "hl_large", "m1p1", "small"];

describe.each(["direct", "fuse-native"])("%s", (transport) => {
  const flags = (mountpoint: string) => [...FLAGS, "--transport", transport, "-M", mountpoint];
  const command = (mountpoint: string) => [process.execPath, COMMAND, ...flags(mountpoint)];

  it("--daemonize returns when the mount can be used", async () => {
    const mountpoint = emptyDir();
    const pidFile = join(workDir(), "pid");
    // $(…) waits for all that hold the pipe: a daemon that kept it would never let go.
    const line = await ask(
      'mnt=$1 pid=$2; shift 2; line=$("$@" --daemonize --pid-file "$pid" -L "$(dirname "$pid")/daemon" 2>/dev/null); ls "$mnt"; cat "$pid"; echo "$line"',
      mountpoint,
      pidFile,
      ...command(mountpoint),
    );
    const pid = Number(readFileSync(pidFile, "utf8"));
    expect(line).toMatch(
      new RegExp(`^${LISTING.join("\n")}\n${pid}\nready image=.* ms=\\d+ log=\\S+/daemon.log pid=${pid}\n$`),
    );
    expect(readFileSync(`/proc/${pid}/cmdline`, "latin1")).toContain(mountpoint);
    process.kill(pid, "SIGTERM");
    await until(() => hasEnded(pid), "the end");
    expect(existsSync(pidFile)).toBe(false);
    expect(isMounted(mountpoint)).toBe(false);
  });

  it.each([
    ["its stdout", ">&-"],
    ["its stderr", "2>&-"],
    ["all of them", "<&- >&- 2>&-"],
  ])("serves with %s closed", async (_, closing) => {
    const mountpoint = emptyDir();
    const child = launch("bash", ["-c", `exec "$@" ${closing}`, "bash", ...command(mountpoint)]);
    await until(() => isMounted(mountpoint), "the mount");
    expect(await readdir(mountpoint)).toEqual(LISTING);
    child.kill("SIGTERM");
    await until(() => child.exitCode !== null, "the end");
    expect(child.exitCode).toBe(0);
  });

  it("serves on when its stdout and stderr are closed by the reader", async () => {
    const mountpoint = emptyDir();
    const child = launch(process.execPath, [COMMAND, ...flags(mountpoint), "--log-level", "debug"]);
    await until(() => isMounted(mountpoint), "the mount");
    child.stdout.destroy();
    child.stderr.destroy();
    for (let i = 0; i < 20; i++) child.kill("SIGHUP"); // each makes a log line
    expect(await readdir(mountpoint)).toEqual(LISTING);
    child.kill("SIGTERM");
    await until(() => child.exitCode !== null, "the end");
    expect(child.exitCode).toBe(0);
  });

  it("SIGTERM at any moment of the start leaves no mount", async () => {
    const mountpoint = emptyDir();
    for (let delay = 20; delay < 400; delay += 19) {
      const child = launch(process.execPath, [COMMAND, ...flags(mountpoint)]);
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGTERM");
      await until(() => child.exitCode !== null || child.signalCode !== null, "the end");
      expect(isMounted(mountpoint)).toBe(false);
    }
  });

  it("a pid file that cannot be written ends it, unmounted", () => {
    const mountpoint = emptyDir();
    const pidFile = join(workDir(), "none", "pid");
    const { status, stderr } = run([...flags(mountpoint), "--pid-file", pidFile]);
    expect(stderr).toContain(`Error: pid file ${pidFile}: ENOENT: no such file or directory`);
    expect(status).toBe(1);
    expect(isMounted(mountpoint)).toBe(false);
  });
});

it("--daemonize tells why the daemon ended early", async () => {
  const { status, stdout, stderr } = await shell(
    '"$@"',
    process.execPath,
    COMMAND,
    ...FLAGS,
    "-M",
    "/none",
    ...["--daemonize", "--log-level", "warn"],
  );
  expect(stderr).toBe("Error: mountpoint /none: no such directory\n");
  expect([status, stdout]).toEqual([1, ""]);
});

it("--pid-file is written once it is ready, and removed at the end", async () => {
  const pidFile = join(workDir(), "pid");
  const daemon = await startFixture("04-large", ["--pid-file", pidFile]);
  expect(readFileSync(pidFile, "utf8")).toBe(`${daemon.pid}\n`);
  expect(await daemon.stop()).toBe(0);
  expect(existsSync(pidFile)).toBe(false);
});

it("--log-file takes all but the ready line, with .log added to a bare name", async () => {
  const name = join(workDir(), "daemon");
  writeFileSync(`${name}.log`, "before\n");
  const daemon = await startFixture("04-large", ["--log-file", name, "--log-format", "text"]);
  expect(await daemon.stop()).toBe(0);
  expect(daemon.output()).toMatch(/^ready .*\n$/);
  expect(readFileSync(`${name}.log`, "utf8")).toMatch(
    /^before\n\[20.*INFO transport direct.*INFO .*: unmounted\n$/s,
  );
});
