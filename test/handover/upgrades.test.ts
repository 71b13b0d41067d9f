import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startReaders } from "../support/checking-readers.ts";
import { childrenOf, until, workDir } from "../support/daemon.ts";
import { type Kept, startKept, stateOf, TREE, wentOn } from "../support/kept.ts";
import { often } from "../support/often.ts";
import { tarImage } from "../support/tar-image.ts";

const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? Date.now() % 1_000_000);
const UPGRADES = often("NYDUSD_TS_UPGRADES", 8, 50);

/** Of the keeper and its children, for whoever has to find out why nothing happens: signals, and where each thread is. */
function kernelsView({ pid }: Kept): string {
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "gone");
  const threads = (of: number) =>
    (existsSync(`/proc/${of}/task`) ? readdirSync(`/proc/${of}/task`) : []).map(
      (each) => `${each} ${read(`/proc/${of}/task/${each}/wchan`)}`,
    );
  return [pid, ...childrenOf(pid)]
    .map((each) => {
      const status = read(`/proc/${each}/status`).split("\n");
      const shown = status.filter((line) => /^(Name|State|S[hi].*Pnd|SigBlk|SigIgn|SigCgt)/.test(line));
      return `${each}: ${[...shown, ...threads(each)].join(", ")}`;
    })
    .join("\n");
}

/** With thirty busy processes beside it on two CPUs an upgrade took 20 s and more. */
const PATIENCE_MS = 180_000;

const refused = (daemon: Kept): number =>
  (daemon.output().match(/no upgrade: the new version was not ready/g) ?? []).length;

it(`${UPGRADES} upgrades under readers: none of them sees an error or a wrong byte`, async () => {
  const { flags } = tarImage(TREE);
  const sock = join(workDir(), "api.sock");
  const daemon = await startKept([...flags, "--apisock", sock]);
  const readers = await startReaders(4, daemon.mountpoint, SEED);
  const walker = await startReaders(1, daemon.mountpoint, SEED + 100, 64);
  for (let i = 0; i < UPGRADES; i++) {
    const before = wentOn(daemon);
    // On a busy machine a version may not be ready in ten seconds: it is refused, which changes nothing, and asked for again.
    for (let tries = 0; wentOn(daemon) === before && tries < 20; tries++) {
      const already = refused(daemon);
      process.kill(daemon.pid, "SIGHUP");
      await until(
        () => wentOn(daemon) > before || refused(daemon) > already,
        () => `the new version, or a refusal: ${daemon.output().slice(-3000)}\n${kernelsView(daemon)}`,
        PATIENCE_MS,
      );
    }
    await until(() => childrenOf(daemon.pid).length === 1, "the end of the old one", PATIENCE_MS);
  }
  const [read, walked] = [await readers.end(), await walker.end()];
  const times = [...daemon.output().matchAll(/handed over: went on after (\d+) ms/g)].map(([, ms]) =>
    Number(ms),
  );
  console.log(
    `seed ${SEED}: ${times.length} upgrades, ${read.operations + walked.operations} operations, longest ` +
      `${Math.max(read.longest, walked.longest).toFixed(2)} s; went on after ${Math.min(...times)} to ${Math.max(...times)} ms`,
  );
  expect([read.failed, walked.failed]).toEqual([[], []]);
  expect(times.length).toBe(UPGRADES);
  expect(stateOf(daemon.stateDir)?.takeovers).toEqual({ all: UPGRADES, crashes: 0 });
  // Not one request was asked for twice, or lost.
  expect(daemon.output()).not.toContain("sent again");
  expect(await daemon.stop()).toBe(0);
}, 1_200_000);
