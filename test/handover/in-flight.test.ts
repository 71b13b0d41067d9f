import { describe, expect, it } from "vitest";
import { statOf } from "../../src/proc/processes.ts";
import { ask, kill, shell, until } from "../support/daemon.ts";
import { startKept, stateOf, wentOn } from "../support/kept.ts";
import { makeSlow } from "../support/slow-image.ts";

const READERS = 30;
/** Each reads the first page of a file past the page cache: what becomes of that one request it sees. */
const READ = `for i in $(seq ${READERS}); do
    { dd if="$1/s/$i" bs=4096 count=1 iflag=direct status=none 2>"$3/err$i" | cmp -s - <(head -c 4096 "$2/s/$i") && echo right ||
      { grep -q 'Input/output error' "$3/err$i" && echo EIO || echo wrong; }; } & done; wait`;

/** Kills the process that serves while reads of a tar hang, and has the tar answer again. */
async function crashWhileReading(...args: string[]) {
  const image = await makeSlow(READERS);
  const daemon = await startKept([...image.flags, ...args]);
  const { mountpoint, stateDir } = daemon;
  await ask('find "$1" | wc -l', mountpoint);
  await image.slow({ fault: "block" });
  const readers = shell(READ, mountpoint, image.source, stateDir);
  let held = 0;
  const look = setInterval(() => image.fault.held().then((n) => (held = n)), 50);
  await until(() => held >= READERS, "readers that wait", 60_000).finally(() => clearInterval(look));
  // The number of the last request is written down within a second: with another one it is another number.
  const before = stateOf(stateDir)?.lastUnique;
  await ask('[ ! -e "$1/none" ]', mountpoint);
  await until(() => stateOf(stateDir)?.lastUnique !== before, "the state to be written");
  const pid = stateOf(stateDir)?.serving.pid ?? 0;
  kill(pid);
  // Its threads that read stay until the tar answers.
  await until(() => ["Z", undefined].includes(statOf(pid)?.[0]), "the end of the main thread");
  await image.slow({ fault: "pass" });
  await until(() => wentOn(daemon) === 1, "the next process");
  return { image, daemon, readers };
}

const counted = (text: string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const word of text.trim().split("\n")) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
};

describe("requests that a process had read when it died", () => {
  it("are sent again by default: all are answered, and right", async () => {
    const { daemon, readers } = await crashWhileReading();
    expect(counted((await readers).stdout)).toEqual({ right: READERS });
    expect(daemon.output()).toContain("requests that were being answered: sent again");
    expect(await daemon.stop()).toBe(0);
  });

  it("fail by --failover-policy flush, and later requests are answered", async () => {
    const { image, daemon, readers } = await crashWhileReading("--failover-policy", "flush");
    const { right = 0, EIO = 0, wrong = 0 } = counted((await readers).stdout);
    expect([right + EIO, wrong]).toEqual([READERS, 0]);
    expect(EIO).toBeGreaterThan(0);
    expect(daemon.output()).toMatch(/requests that were being answered: \d+ failed/);
    expect(
      await ask('for i in 1 2 3; do cmp "$1/s/$i" "$2/s/$i"; done', daemon.mountpoint, image.source),
    ).toBe("");
    expect(await daemon.stop()).toBe(0);
  });

  it("stay by --failover-policy none until the mount ends, and others are answered", async () => {
    const { image, daemon, readers } = await crashWhileReading("--failover-policy", "none");
    expect(daemon.output()).toContain("requests that were being answered: left to hang");
    expect(await ask('cmp "$1/f/big" "$2/f/big"', daemon.mountpoint, image.source)).toBe("");
    process.kill(daemon.pid, "SIGTERM");
    expect(await daemon.exited).toBe(0);
    expect(counted((await readers).stdout)["wrong"]).toBeGreaterThan(0);
  });
});
