import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  ask,
  facts,
  hold,
  isMounted,
  PATIENT,
  servedCounts,
  shell,
  startFixture,
  workDir,
} from "../support/daemon.ts";
import { fixture } from "../support/image.ts";

/** As an address: it has no blanks, which would end the option. */
const HOOK = new URL("../support/unexpected.mjs", import.meta.url).href;
const SHA256 = fixture("04-large").entries.find(({ path }) => path === "/m1p1")?.sha256;

afterEach(() => {
  for (const name of ["NODE_OPTIONS", "NYDUSD_TS_UNEXPECTED", "NYDUSD_TS_TRIGGER"]) delete process.env[name];
});

/** A daemon in which something goes wrong while those inside would be served for ever: in its main thread on SIGUSR2, in a worker while the file `trigger` is there. */
async function serve(how: string, ...args: string[]) {
  const trigger = join(workDir(), "now");
  Object.assign(process.env, {
    NODE_OPTIONS: `--import=${HOOK} ${PATIENT}`,
    NYDUSD_TS_UNEXPECTED: how,
    NYDUSD_TS_TRIGGER: trigger,
  });
  return { trigger, daemon: await startFixture("04-large", args) };
}

describe.each(["direct", "fuse-native"])("%s: an uncaught exception in the main thread", (transport) => {
  it.each([
    ["throw", "TypeError: thrown on purpose"],
    ["reject", "TypeError: rejected on purpose"],
  ])("%s: unmounts, and ends with status 1", async (how, words) => {
    const { daemon } = await serve(how, "--transport", transport);
    process.kill(daemon.pid, "SIGUSR2");
    expect(await daemon.exited).toBe(1);
    expect(daemon.output()).toContain(`ERROR an unexpected error ends this daemon: ${words}`);
    expect(isMounted(daemon.mountpoint)).toBe(false);
    expect(readdirSync(daemon.mountpoint)).toEqual([]);
  });

  it("processes inside the mount finish", async () => {
    const { daemon } = await serve("throw", "--transport", transport);
    const holder = await hold('exec 3<"$1/m1p1"', "sha256sum <&3", daemon.mountpoint);
    process.kill(daemon.pid, "SIGUSR2");
    expect(await holder.release()).toBe(`${SHA256}  -\n`);
    expect(await daemon.exited).toBe(1);
    expect(isMounted(daemon.mountpoint)).toBe(false);
  });

  it("a second one ends it at once, also with somebody inside", async () => {
    const { daemon } = await serve("twice", "--transport", transport);
    await hold('cd "$1"', ":", daemon.mountpoint);
    process.kill(daemon.pid, "SIGUSR2");
    expect(await daemon.exited).toBe(1);
    expect(daemon.output().match(/an unexpected error ends this daemon/g)).toHaveLength(2);
    expect(isMounted(daemon.mountpoint)).toBe(false);
  });
});

describe("an exception in a worker", () => {
  const READ = 'dd if="$1/m1p1" bs=4096 count=1 iflag=direct status=none | wc -c';

  it("an exception in a handler is one EIO, and the next request is answered", async () => {
    const { daemon, trigger } = await serve("handler");
    writeFileSync(trigger, "");
    const { stderr } = await shell(READ, daemon.mountpoint);
    expect(stderr).toMatch(/Input\/output error\n$/);
    expect(await ask('stat -c %s "$1/m1p1"', daemon.mountpoint)).toBe("1048577\n");
    rmSync(trigger);
    expect(await ask('sha256sum <"$1/m1p1"', daemon.mountpoint)).toBe(`${SHA256}  -\n`);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.output()).toMatch(/WARN read: thrown on purpose/);
    expect(servedCounts(daemon.output())["unexpected"]).toBeGreaterThan(0);
  });

  const only = ["write", "late"];
  it.each(only)(
    "that ends the only one (%s): its reader gets EIO, the daemon status 1, and nothing is left",
    async (how) => {
      const { daemon, trigger } = await serve(how, "--thread-num", "1");
      writeFileSync(trigger, "");
      const { stderr } = await shell(READ, daemon.mountpoint);
      expect(stderr).toMatch(/(Input\/output error|not connected)\n$/);
      expect(await daemon.exited).toBe(1);
      expect(daemon.output()).toContain("ERROR a worker failed: on purpose");
      expect(isMounted(daemon.mountpoint)).toBe(false);
    },
  );

  it("that ends one of two: its reader gets EIO, and the other serves on", async () => {
    const { daemon, trigger } = await serve("write", "--push", "off");
    const { threads } = facts(daemon.pid);
    const hasTwo = () => facts(daemon.pid).threads > threads;
    // More than one asks at once, so that another worker joins.
    const crowd =
      'for i in $(seq 8); do cp "$1/m1p1" /dev/null & dd if="$1/m1p1" iflag=direct bs=4k of=/dev/null status=none & done; wait';
    for (let i = 0; i < 20 && !hasTwo(); i++) await ask(crowd, daemon.mountpoint);
    expect(hasTwo()).toBe(true);
    writeFileSync(trigger, "");
    const { stderr } = await shell(READ, daemon.mountpoint);
    rmSync(trigger);
    expect(stderr).toMatch(/Input\/output error\n$/);
    expect(await ask('sha256sum <"$1/m1p1"', daemon.mountpoint)).toBe(`${SHA256}  -\n`);
    expect(await daemon.stop()).not.toBe("SIGKILL");
    expect(isMounted(daemon.mountpoint)).toBe(false);
  });
});
