import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { mountAt } from "../../src/mounts/table.ts";
import {
  ask,
  bePatient,
  hold,
  isMounted,
  startFixture,
  stopAtOnce,
  until,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { literally } from "../support/literally.ts";

const FILE = "m1p1"; // 1 MiB + 1 byte
const { path, entries } = fixture("04-large");
const SHA256 = `${entries.find((e) => e.path === `/${FILE}`)?.sha256}  -\n`;

/** As it is, or quoted where blanks are in it. */
const IMAGE = [path, JSON.stringify(path)].map(literally).join("|");
const FACTS = {
  direct: "transport=direct workers=2 protocol=7.\\d+ max_read=1048576",
  "fuse-native": "transport=fuse-native workers=1 protocol=7.19 max_read=131072",
};

/** What a process may be doing inside when the end comes, and what it does afterwards. */
const insiders = [
  { name: "an open file", before: `exec 3<"$1/${FILE}"`, after: "sha256sum <&3" },
  {
    name: "a half-read file",
    before: `exec 3<"$1/${FILE}"; head -c 4096 <&3 >"$2"`,
    after: "cat $2 - <&3 | sha256sum",
  },
  { name: "a working directory", before: 'cd "$1"', after: `cat ${FILE} | sha256sum` },
];

describe.each(["direct", "fuse-native"] as const)("%s", (transport) => {
  const serve = (...args: string[]) => startFixture("04-large", ["--transport", transport, ...args]);

  it("says when it is ready, and is", async () => {
    const daemon = await serve();
    expect(
      daemon
        .output()
        .split("\n")
        .find((line) => line.startsWith("ready ")),
    ).toMatch(
      new RegExp(
        `^ready image=(${IMAGE}) mountpoint=${daemon.mountpoint} inodes=4 blobs=1 ${FACTS[transport]} ms=\\d+$`,
      ),
    );
    expect(await ask('cat "$1"/small', daemon.mountpoint)).toHaveLength(5);
    expect(await daemon.stop()).toBe(0);
  });

  it.each(["SIGTERM", "SIGINT"] as const)("%s ends it when idle", async (signal) => {
    const daemon = await serve();
    process.kill(daemon.pid, signal);
    expect(await daemon.exited).toBe(0);
    expect(isMounted(daemon.mountpoint)).toBe(false);
    expect(daemon.output()).toMatch(
      new RegExp(`${signal}: unmounting\n[^]*INFO ${daemon.mountpoint}: unmounted\n`),
    );
    expect(daemon.output()).not.toContain("busy");
  });

  it.each(insiders)("SIGTERM lets $name finish", async ({ before, after }) => {
    bePatient();
    const daemon = await serve();
    const holder = await hold(before, after, daemon.mountpoint, join(workDir(), "head"));
    process.kill(daemon.pid, "SIGTERM");
    await until(
      () => daemon.output().includes("is busy: detached; processes that use it are served for 5 s more"),
      "detaching",
    );
    expect(isMounted(daemon.mountpoint)).toBe(false);
    expect(await holder.release()).toBe(SHA256);
    expect(await daemon.exited).toBe(0);
    expect(daemon.output()).toContain(`INFO ${daemon.mountpoint}: unmounted`);
  });

  it("SIGTERM ends it though somebody stays inside for ever", async () => {
    const daemon = await serve();
    const holder = await hold('cd "$1"', `cat ${FILE} 2>&1 || true`, daemon.mountpoint);
    process.kill(daemon.pid, "SIGTERM");
    expect(await daemon.exited).toBe(0);
    expect(daemon.output()).toContain(`INFO ${daemon.mountpoint}: stopped`);
    expect(isMounted(daemon.mountpoint)).toBe(false);
    expect(readdirSync(daemon.mountpoint)).toEqual([]);
    expect(await holder.release()).toBe(`cat: ${FILE}: Transport endpoint is not connected\n`);
  });

  it("a second SIGTERM stops it at once", async () => {
    bePatient();
    const daemon = await serve();
    await hold('cd "$1"', ":", daemon.mountpoint);
    process.kill(daemon.pid, "SIGTERM");
    await until(() => daemon.output().includes("is busy"), "detaching");
    expect(await stopAtOnce(daemon)).toBe(0);
    expect(daemon.output()).toContain("SIGTERM: stopping at once");
    expect(isMounted(daemon.mountpoint)).toBe(false);
  });

  it("a signal and its echo, as npm makes it, lets people inside finish", async () => {
    bePatient();
    const daemon = await serve();
    const inside = await hold(`cd "$1"`, `cat ${FILE} | sha256sum`, daemon.mountpoint);
    // Both at once, however busy the machine is.
    for (const signal of ["SIGSTOP", "SIGINT", "SIGTERM", "SIGCONT"] as const)
      process.kill(daemon.pid, signal);
    await until(() => daemon.output().includes("is busy"), "detaching");
    expect(await inside.release()).toBe(SHA256);
    expect(await daemon.exited).toBe(0);
    expect(daemon.output()).not.toMatch(/stopping at once|ERROR/);
  });

  it("an outside umount ends it", async () => {
    const daemon = await serve();
    await ask('umount "$1"', daemon.mountpoint);
    expect(await daemon.exited).toBe(0);
  });

  it.each(insiders)("an outside umount -l lets $name finish", async ({ before, after }) => {
    bePatient();
    const daemon = await serve();
    const holder = await hold(before, after, daemon.mountpoint, join(workDir(), "head"));
    await ask('umount -l "$1"', daemon.mountpoint);
    expect(await holder.release()).toBe(SHA256);
    expect(await daemon.exited).toBe(0);
  });

  it("an abort ends it with status 1 and leaves no dead mount", async () => {
    const daemon = await serve();
    const minor = mountAt(daemon.mountpoint)?.device.split(":")[1];
    await ask('mount -t fusectl none "$1" && echo 1 >"$1/$2/abort"', workDir(), `${minor}`);
    expect(await daemon.exited).toBe(1);
    expect(daemon.output()).toContain(`ERROR ${daemon.mountpoint}: the session ended: aborted`);
    expect(isMounted(daemon.mountpoint)).toBe(false);
    const next = await startFixture("04-large", ["--transport", transport], daemon.mountpoint);
    expect(await next.stop()).toBe(0);
  });

  it("other signals do not end it, and open no inspector", async () => {
    const daemon = await serve("--log-level", "debug");
    process.kill(daemon.pid, "SIGHUP");
    await until(() => /ERROR SIGHUP: no upgrade: /.test(daemon.output()), "SIGHUP");
    for (const signal of ["SIGPIPE", "SIGUSR1", "SIGUSR2"] as const) {
      process.kill(daemon.pid, signal);
      await until(() => daemon.output().includes(`DEBUG ${signal} ignored`), signal);
    }
    expect(daemon.output()).not.toContain("Debugger");
    expect(listeners(daemon.pid)).toEqual([]);
    expect(await ask(`cat "$1/${FILE}" | sha256sum`, daemon.mountpoint)).toBe(SHA256);
    expect(await daemon.stop()).toBe(0);
  });
});

/** TCP sockets of a process. */
function listeners(pid: number): string[] {
  const tcp = ["tcp", "tcp6"].flatMap((name) =>
    readFileSync(`/proc/${pid}/net/${name}`, "utf8")
      .split("\n")
      .map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`),
  );
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    .filter((target) => tcp.includes(target));
}
