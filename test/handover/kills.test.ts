import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { startReaders } from "../support/checking-readers.ts";
import { ask, facts, kill, until } from "../support/daemon.ts";
import { startKept, TREE, wentOn } from "../support/kept.ts";
import { often } from "../support/often.ts";
import { tarImage } from "../support/tar-image.ts";

const SEED = Number(process.env["NYDUSD_TS_SEED"] ?? Date.now() % 1_000_000);
const KILLS = often("NYDUSD_TS_KILLS", 10, 100);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

it(`a serving process that is killed ${KILLS} times at any moment: no reader notices`, async () => {
  const { flags, source } = tarImage(TREE);
  const daemon = await startKept(flags);
  const readers = await startReaders(4, daemon.mountpoint, SEED);
  const walker = await startReaders(1, daemon.mountpoint, SEED + 100, 64);
  let random = SEED;
  let last = 0;
  for (let i = 0; i < KILLS; i++) {
    await until(() => ![undefined, last].includes(daemon.serving()), "the next one");
    random = (random * 1_103_515_245 + 12_345) % 2 ** 31;
    await sleep(random % 300);
    last = daemon.serving() ?? 0;
    kill(last);
  }
  await until(() => ![undefined, last].includes(daemon.serving()), "the last one");
  expect(await ask('diff -r --no-dereference "$1" "$2"', source, daemon.mountpoint)).toBe("");
  const [read, walked] = [await readers.end(), await walker.end()];
  const longest = Math.max(read.longest, walked.longest);
  console.log(
    `seed ${SEED}: ${KILLS} kills, ${wentOn(daemon)} takeovers, ${read.operations + walked.operations} operations, ` +
      `longest ${longest.toFixed(2)} s, keeper ${facts(daemon.pid).rssKb} KiB`,
  );
  expect([read.failed, walked.failed]).toEqual([[], []]);
  expect(read.operations).toBeGreaterThan(100);
  expect(facts(daemon.pid).rssKb).toBeLessThan(50_000);
  expect(await daemon.stop()).toBe(0);
  expect(daemon.output()).not.toContain("answers EIO");
  expect(readdirSync(daemon.stateDir)).toEqual([]);
}, 300_000);
