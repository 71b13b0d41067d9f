import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { get, say, startManaged } from "../support/api.ts";
import { ask, COMMAND, emptyDir, run, sh, shell, startFixture, until, workDir } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { NO_KERNEL_DRIVER } from "../support/kernel.ts";

const { path, devices } = fixture("04-large");
const MIB = 1024 * 1024;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const lines = (text: string) => text.trimEnd().split("\n");
const level = (name: string) => JSON.stringify({ log_level: name });

it("a log file has JSON lines, time, level and message first, and what was served as keys", async () => {
  const log = join(workDir(), "d.log");
  const daemon = await startFixture("04-large", ["--log-file", log]);
  await ask('cat "$1/small" >/dev/null', daemon.mountpoint);
  expect(await daemon.stop()).toBe(0);
  const all = lines(readFileSync(log, "utf8")).map((line) => JSON.parse(line));
  for (const line of all) {
    expect(Object.keys(line).slice(0, 3)).toEqual(["time", "level", "message"]);
    expect(line).toMatchObject({ time: expect.stringMatching(TIME), level: "info" });
  }
  expect(all.at(-2)).toMatchObject({
    message: "served",
    lookup: expect.any(Number),
    read: expect.any(Number),
  });
  expect(all.at(-1)).toMatchObject({ message: `${daemon.mountpoint}: unmounted` });
});

it("--log-format text is nydusd's format, in a file, too", async () => {
  const log = join(workDir(), "d.log");
  const daemon = await startFixture("04-large", ["--log-file", log, "--log-format", "text"]);
  expect(await daemon.stop()).toBe(0);
  for (const line of lines(readFileSync(log, "utf8"))) expect(line).toMatch(/^\[20[^\]]*Z\] INFO \S/);
});

/** Words as bash writes and reads them; a plain sh does not know all of that. */
const ON_TERMINAL = 'NO_COLOR=1 SHELL=/bin/bash script -qec "$(printf "%q " "$@")" /dev/null 2>&1 || true';
const COMMAND_LINE = [process.execPath, COMMAND, "-B", path, "--blob", `1=${devices[0]}`];

describe("without a file", () => {
  const LINE = {
    text: /^\[20\S*Z\] INFO transport /,
    json: /^\{"time":"20\S*Z","level":"info","message":"trans/,
  };

  it.each<[format: keyof typeof LINE, where: string, flags: readonly string[]]>([
    ["json", "a pipe", []],
    ["text", "a pipe", ["--log-format", "text"]],
    ["text", "a terminal", []],
    ["json", "a terminal", ["--log-format", "json"]],
  ])("it is %s on %s with %j", async (format, where, flags) => {
    const script = where === "a terminal" ? ON_TERMINAL : '"$@" 2>&1 || true';
    const { stdout } = await shell(script, ...COMMAND_LINE, "-M", "/none", ...flags);
    expect(lines(stdout.replaceAll("\r", ""))[0]).toMatch(LINE[format]);
    expect(stdout).toMatch(/^Error: .*\/none: no such directory\r?$/m);
  });

  it.each<[format: keyof typeof LINE, flags: readonly string[]]>([
    ["text", []],
    ["json", ["--log-format", "json"]],
  ])("--daemonize knows the terminal: %s with %j", async (format, flags) => {
    const mountpoint = emptyDir();
    const args = [...COMMAND_LINE, "-M", mountpoint, ...flags, "--daemonize"];
    const { stdout } = await shell(ON_TERMINAL, ...args);
    expect(run(["umount", mountpoint]).status).toBe(0);
    expect(stdout).toMatch(/^ready .* log=\S+ pid=\d+\r?$/m);
    expect(stdout).toMatch(new RegExp(LINE[format].source, "m"));
  });
});

it("a name with control characters is one line of text, and whole in JSON", async () => {
  const dir = join(workDir(), "a\n[2026] ERROR b\u001b[2J");
  sh('mkdir "$D"', { D: dir });
  const daemon = await startFixture("04-large", [], dir);
  expect(await daemon.stop()).toBe(0);
  expect(daemon.output()).toMatch(/a\\n\[2026\] ERROR b\\u001b\[2J: unmounted\n$/);
});

it("log levels change at run time, and errors are events of the API", async () => {
  const log = join(workDir(), "d.log");
  const daemon = await startManaged("04-large", "--log-file", log, "--log-level", "error");
  const messages = () => lines(readFileSync(log, "utf8")).flatMap((line) => (line ? [JSON.parse(line)] : []));
  expect(messages()).toEqual([]);
  expect(await say(daemon.sock, "PUT /api/v1/daemon", level("debug"))).toMatchObject({ status: 204 });
  process.kill(daemon.pid, "SIGUSR2");
  await until(() => messages().length === 2, "the debug line");
  expect(messages()).toMatchObject([
    { level: "info", message: "log level debug" },
    { level: "debug", message: "SIGUSR2 ignored" },
  ]);
  await say(daemon.sock, "PUT /api/v1/daemon", level("off"));
  process.kill(daemon.pid, "SIGUSR2");
  expect(await daemon.stop()).toBe(0);
  expect(messages().length).toBe(2);
});

/** A log file that the first line of a daemon makes too large. */
function fullLog(dir: string): { log: string; before: string } {
  const log = join(dir, "d.log");
  const before = `${randomBytes(MIB / 2 - 10).toString("hex")}\n`;
  writeFileSync(log, before);
  return { log, before };
}
const rotated = (dir: string) => readdirSync(dir).filter((name) => name.startsWith("d_r"));
const FLAGS = ["--log-rotation-size", "1"];

it("--log-rotation-size puts a full log aside, compressed", async () => {
  const dir = workDir();
  const { log, before } = fullLog(dir);
  const daemon = await startFixture("04-large", ["--log-file", log, ...FLAGS]);
  expect(await daemon.stop()).toBe(0);
  const [name, ...others] = rotated(dir);
  expect([name, others]).toEqual([expect.stringMatching(/\.log\.gz$/), []]);
  expect(gunzipSync(readFileSync(join(dir, name))).toString()).toBe(before);
  expect(JSON.parse(lines(readFileSync(log, "utf8"))[0]).message).toMatch(/^transport direct/);
});

it("a disk that is full stops no daemon, and its log goes on when there is room", async () => {
  const dir = workDir();
  sh('mount -t tmpfs -o size=2m none "$D"', { D: dir });
  const { log, before } = fullLog(dir);
  sh('head -c 2M /dev/zero >"$D/filler" 2>/dev/null || true', { D: dir });
  const daemon = await startManaged("04-large", "--log-file", log, ...FLAGS);
  expect(await ask('cat "$1/m1p1" | wc -c', daemon.mountpoint)).toBe(`${MIB + 1}\n`);
  type Events = { errors: string[] };
  const events = () => get<Events>(daemon.sock, "/api/v1/daemon/events");
  for (const end = Date.now() + 60_000; (await events()).errors.length === 0 && Date.now() < end; );
  expect((await events()).errors).toEqual([expect.stringMatching(/log file .*d\.log: ENOSPC: /)]);
  expect([rotated(dir), readFileSync(log, "utf8")]).toEqual([[expect.stringMatching(/\d\.log$/)], ""]);
  rmSync(join(dir, "filler"));
  await say(daemon.sock, "PUT /api/v1/daemon", level("debug"));
  expect(lines(readFileSync(log, "utf8")).map((line) => JSON.parse(line).message)).toEqual([
    "log level debug",
  ]);
  expect(readFileSync(join(dir, rotated(dir)[0]), "utf8")).toBe(before);
  expect(await ask('cat "$1/small" | wc -c', daemon.mountpoint)).toBe("5\n");
  expect(await daemon.stop()).toBe(0);
});

it("--log-rotation-size without a file is warned of, not refused: nydus-snapshotter sets it always", () => {
  const { status, stderr } = run(["-B", path, "-M", "/none", ...FLAGS, "--log-level", "warn"]);
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(
      /^\[20\S*\] WARN --log-rotation-size has no effect without --log-file\nError: mountpoint \/none: no such directory\n$/,
    ),
  ]);
});

it("a kernel mount compresses its rotated log before it ends", async (test) => {
  test.skip(NO_KERNEL_DRIVER !== undefined, NO_KERNEL_DRIVER);
  const dir = workDir();
  const { log } = fullLog(dir);
  const mountpoint = emptyDir();
  const args = ["mount", path, mountpoint, "--blob", `1=${devices[0]}`, "--log-file", log, ...FLAGS];
  expect(run([...args, "--driver", "erofs"]).status).toBe(0);
  expect(rotated(dir)).toEqual([expect.stringMatching(/\.log\.gz$/)]);
  expect(run(["umount", mountpoint]).status).toBe(0);
});
