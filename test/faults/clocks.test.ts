import { beforeAll, describe, expect, it } from "vitest";
import { ask, COMMAND, emptyDir, facts, isMounted, launch, startFixture, until } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

describe("clocks", () => {
  const { path, devices, entries } = fixture("01-basic");
  const flags = ["-B", path, "--blob", `1=${devices[0]}`];
  const mtimes = entries
    .filter((entry) => entry.path === "/etc/one" || entry.path === "/etc/empty")
    .map(({ path: at, mtime }) => `${at?.slice(1)} ${mtime}\n`)
    .sort()
    .join("");
  const LOOK = 'cd "$1"; stat -c "%n %Y" etc/empty etc/one; find . -type f | xargs cat | sha256sum';
  let want: string;
  beforeAll(async () => {
    const daemon = await startFixture("01-basic", []);
    want = await ask(LOOK, daemon.mountpoint);
    expect(want.startsWith(mtimes)).toBe(true);
    await daemon.stop();
  });

  /** A daemon started through another program, told by its ready line. */
  async function through(...words: string[]) {
    const mountpoint = emptyDir();
    const child = launch(words[0], [
      ...words.slice(1),
      process.execPath,
      COMMAND,
      ...flags,
      "-M",
      mountpoint,
    ]);
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    await until(() => said.includes("ready ") || child.exitCode !== null, "the ready line");
    return { mountpoint, child, said: () => said };
  }

  it.each(["1000000", "1000000000"])(
    "monotonic and boot time %s s ahead, in a time namespace: the same tree",
    async (offset) => {
      const { mountpoint, child, said } = await through(
        "unshare",
        "-T",
        "--monotonic",
        offset,
        "--boottime",
        offset,
        "--",
      );
      expect(said()).toContain("ready ");
      expect(await ask(LOOK, mountpoint)).toBe(want);
      child.kill("SIGTERM");
      await until(() => child.exitCode !== null, "the end");
      expect([child.exitCode, isMounted(mountpoint)]).toEqual([0, false]);
    },
  );

  it.each([
    ["a day back", "-1d"],
    ["a day ahead", "+1d"],
    ["before 1970 was over", "@1970-01-02 00:00:00"],
    ["after 2106", "@2107-01-01 00:00:00"],
    ["600 times as fast", "+0 x600"],
  ])("wall clock %s (faketime): the same tree", async (_, spec) => {
    const { mountpoint, child, said } = await through("faketime", "-f", spec);
    expect(said()).toContain("ready ");
    expect(await ask(LOOK, mountpoint)).toBe(want);
    expect(facts(child.pid ?? 0).threads).toBeGreaterThan(0);
    await ask('umount "$1"', mountpoint);
    await until(() => child.exitCode !== null, "the end");
    expect([child.exitCode, isMounted(mountpoint)]).toEqual([0, false]);
  });

  it("another time zone, and a locale of bytes: the same tree", async () => {
    const { mountpoint, child } = await through("env", "TZ=Pacific/Kiritimati", "LANG=C", "LC_ALL=C");
    expect(await ask(LOOK, mountpoint)).toBe(want);
    child.kill("SIGTERM");
    await until(() => child.exitCode !== null, "the end");
  });
});
