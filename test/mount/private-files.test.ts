import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, blobFlags, COMMAND, runMount, startFixture, workDir } from "../support/daemon.ts";
import { fixture, scratchDir } from "../support/image.ts";
import { networkSockets } from "../support/sockets.ts";
import { USER } from "../support/user.ts";

const { path, devices } = fixture("04-large");
const IMAGE = ["-B", path, ...blobFlags(devices)];

/** As /tmp: everybody may put something there, and take away only what is theirs. */
function openDir(): string {
  const dir = workDir();
  chmodSync(dir, 0o1777);
  return dir;
}

/** Whatever a daemon can be told to write. */
const FILES = { log: "-L", pid: "--pid-file", trace: "--trace", sock: "--apisock" } as const;

it("files of a daemon are private whatever the umask, and it listens to no network", async () => {
  const dir = openDir();
  const before = process.umask(0);
  const daemon = await startFixture(
    "04-large",
    Object.entries(FILES).flatMap(([name, flag]) => [flag, join(dir, `${name}.x`)]),
  ).finally(() => process.umask(before));
  const modes = Object.keys(FILES).map((name) =>
    (lstatSync(join(dir, `${name}.x`)).mode & 0o777).toString(8),
  );
  expect(modes).toEqual(["600", "644", "600", "600"]);
  expect(readFileSync(`/proc/${daemon.pid}/status`, "utf8")).toContain("Umask:\t0077\n");
  expect(networkSockets(daemon.pid)).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});

it.each([
  ["0", "tcp 0100007F:"],
  ["127.0.0.1:0", "tcp 0100007F:"],
  ["[::1]:0", "tcp6 00000000000000000000000001000000:"],
])("--metrics-address %s is for this machine alone", async (address, begin) => {
  const daemon = await startFixture("04-large", ["--metrics-address", address]);
  const sockets = networkSockets(daemon.pid);
  expect(sockets.map((socket) => socket.slice(0, begin.length))).toEqual([begin]);
  expect(await daemon.stop()).toBe(0);
});

it("a log may be a link to /dev/stdout, as in containers", async () => {
  const log = join(openDir(), "d.log");
  symlinkSync("/dev/stdout", log);
  const script = '"$1" "$2" -L "$3" -B /none -M / 2>/dev/null | cat';
  expect(await ask(`${script} || true`, process.execPath, COMMAND, log)).toMatch(/^\{"time":.*transport/);
});

describe("where a stranger has put something first", () => {
  /** A victim that only root may change, and a directory in which a stranger's link leads to it. */
  function trap(name: string) {
    const victim = join(scratchDir(), "victim");
    writeFileSync(victim, "untouched");
    const dir = openDir();
    const link = join(dir, `${name}.x`);
    symlinkSync(victim, link);
    lchownSync(link, USER, USER);
    return { victim, dir, link };
  }

  it.each([
    ["log", "log file LINK: LINK is a link that belongs to user 65534"],
    ["trace", "trace LINK: LINK is a link that belongs to user 65534"],
    ["sock", "apisock LINK: is there, and is no socket"],
  ] as const)("%s: nothing is mounted, what the link leads to is not touched", (name, said) => {
    const { victim, link } = trap(name);
    const { status, stderr, isMounted, processes } = runMount([...IMAGE, FILES[name], link]);
    expect([status, isMounted, processes]).toEqual([1, false, []]);
    expect(stderr.trim().split("\n").at(-1)?.replaceAll(link, "LINK")).toBe(`Error: ${said}`);
    expect([readFileSync(victim, "utf8"), lstatSync(link).isSymbolicLink()]).toEqual(["untouched", true]);
  });

  it("pid: the link is replaced, and the file is removed in the end", async () => {
    const { victim, link } = trap("pid");
    const daemon = await startFixture("04-large", ["--pid-file", link]);
    expect([lstatSync(link).isFile(), readFileSync(link, "utf8")]).toEqual([true, `${daemon.pid}\n`]);
    expect(await daemon.stop()).toBe(0);
    expect([existsSync(link), readFileSync(victim, "utf8")]).toEqual([false, "untouched"]);
  });

  it("pid: a link that is put there later stays, and what it leads to", async () => {
    const { victim, dir, link } = trap("other");
    const pid = join(dir, "pid");
    const daemon = await startFixture("04-large", ["--pid-file", pid]);
    symlinkSync(victim, `${pid}.new`);
    renameSync(`${pid}.new`, pid);
    expect(await daemon.stop()).toBe(0);
    // Not existsSync: with fs.protected_symlinks even root does not follow a stranger's link here.
    const links = [pid, link].map((path) => lstatSync(path).isSymbolicLink());
    expect([links, readFileSync(victim, "utf8")]).toEqual([[true, true], "untouched"]);
  });
});
