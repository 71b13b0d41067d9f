import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { get, type Managed, startManaged } from "../support/api.ts";
import { facts, hold, launch, shell, until } from "../support/daemon.ts";
import { fixture } from "../support/image.ts";
import { often } from "../support/often.ts";

const FLOODER = fileURLToPath(new URL("../../dist/test/support/flooder.js", import.meta.url));
const CONNECTIONS = 200;
const FLOOD_MS = 1000 * often("NYDUSD_TS_FLOOD", 2, 5);
/**
 * What a flood may add to the most that four before it took: how much garbage waits to be collected differs by
 * 100 MiB from one moment to the next, the most of it does not.
 */
const GARBAGE_KB = 64 * 1024;
/** That has been 87 MiB once, beside other work: what each flood leaves behind is left by those after it, too. */
const MORE_FLOODS = 4;

/** Without threads that come and go with what readers do. */
const FIXED = { direct: ["--fuse-threads", "1", "--push", "off"], "fuse-native": [] };

const sums = new Set(fixture("04-large").entries.flatMap(({ sha256 }) => sha256 ?? []));
/** O_DIRECT goes past the page cache, so that every pass asks the daemon. */
const READ = 'for f in "$1"/*; do dd if="$f" iflag=direct bs=64k status=none | sha256sum; done';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const state = async (sock: string) => (await get<{ state: string }>(sock, "/api/v1/daemon")).state;

/** Runs something under a flood. @returns how often the flooder did what */
async function flooded(sock: string, work: () => Promise<void>): Promise<Record<string, number>> {
  const child = launch(process.execPath, [FLOODER, sock, `${CONNECTIONS}`]);
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk;
  });
  await until(() => text.startsWith("flooding\n"), "the flood");
  await work();
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("close", resolve));
  return JSON.parse(text.slice(text.indexOf("{"))) as Record<string, number>;
}

/** Asks as a client does that does not give up. @returns how many connections it took */
async function insist(sock: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      expect(await state(sock)).toBe("RUNNING");
      return tries;
    } catch {
      if (tries === 2_000) throw new Error("nobody was answered during the flood");
      await pause(5);
    }
  }
}

/** Checksums of what readers see until the work is done. */
async function readDuring(mountpoint: string, work: () => Promise<void>): Promise<Set<string>> {
  const loop = `while [ ! -e "$2" ]; do ${READ}; done`;
  const done = `${mountpoint}.done`;
  await shell('rm -f "$1"', done);
  const readers = await Promise.all([1, 2].map(() => hold("true", loop, mountpoint, done)));
  const texts = readers.map((reader) => reader.release());
  await work();
  await shell('touch "$1"', done);
  return new Set((await Promise.all(texts)).flatMap((text) => text.match(/[0-9a-f]{64}/g) ?? []));
}

/** The most memory that it had so far, KiB. */
const peakKb = ({ pid }: Managed): number =>
  Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1]);

const fds = ({ pid }: Managed): number => readdirSync(`/proc/${pid}/fd`).length;

// libfuse has as many threads as requests have come at once, up to ten more.
it.each([
  ["direct", 0],
  ["fuse-native", 10],
] as const)(
  "a flood of the API disturbs no reader and leaves nothing behind: %s",
  async (transport, spare) => {
    const daemon = await startManaged("04-large", "--transport", transport, ...FIXED[transport]);
    await readDuring(daemon.mountpoint, () => insist(daemon.sock).then(() => {}));
    const idle = fds(daemon);
    // Before it is counted, as long as then: how large a heap grows before it is collected depends on the load.
    const floodAlone = () =>
      readDuring(daemon.mountpoint, async () => {
        await flooded(daemon.sock, () => pause(FLOOD_MS));
      });
    for (let before = 0; before < 4; before++) await floodAlone();
    await insist(daemon.sock);
    await until(() => fds(daemon) <= idle, "the end of all connections");
    const before = { fds: fds(daemon), peakKb: peakKb(daemon), ...facts(daemon.pid) };

    let done: Record<string, number> = {};
    const seen = await readDuring(daemon.mountpoint, async () => {
      done = await flooded(daemon.sock, async () => {
        await insist(daemon.sock);
        await pause(FLOOD_MS);
        await insist(daemon.sock);
      });
    });
    expect(seen).toEqual(sums);
    expect(Object.values(done).every((times) => times > 0)).toBe(true);
    expect(Object.keys(done).length).toBeGreaterThan(15);

    expect(await insist(daemon.sock)).toBe(1);
    await until(() => fds(daemon) <= before.fds, "the end of all connections");
    const after = facts(daemon.pid);
    expect(after.threads).toBeLessThanOrEqual(before.threads + spare);
    const peaks = [before.peakKb, peakKb(daemon)];
    const growth = () => (peaks.at(-1) ?? 0) - (peaks.at(-2) ?? 0);
    while (growth() >= GARBAGE_KB && peaks.length <= MORE_FLOODS) {
      await floodAlone();
      peaks.push(peakKb(daemon));
    }
    console.log(`most memory, KiB: ${peaks.join(", ")}`);
    expect(growth()).toBeLessThan(GARBAGE_KB);
    expect(daemon.output()).not.toMatch(/WARN|ERROR/);
    expect(await daemon.stop()).toBe(0);
  },
);
