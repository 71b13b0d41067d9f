import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { mountAt } from "../src/mounts/table.ts";
import { allStates } from "../src/handover/state-file.ts";
import { generator, shuffled } from "./order.ts";
import { run } from "./processes.ts";
import { median } from "./report.ts";
import { withWorkDir } from "./work-dir.ts";

const OURS = fileURLToPath(new URL("../../bin/nydusd-ts.mjs", import.meta.url));
const LONGEST_MS = 60_000;
/** For the process that went on to be as it will stay: its API, what it found out about the image, a standby. */
const SETTLE_MS = 1_500;

interface Kept {
  readonly mountpoint: string;
  readonly keeper: number;
  /** The process that serves. */
  serving(): number;
  end(): Promise<unknown>;
}

async function keep(dir: string, image: readonly string[], more: readonly string[]): Promise<Kept> {
  const mountpoint = join(dir, "mnt");
  const state = join(dir, "state");
  await mkdir(mountpoint, { recursive: true });
  const args = [
    ...image,
    "--mountpoint",
    mountpoint,
    "--state-dir",
    state,
    "--log-file",
    join(dir, "log"),
    ...more,
  ];
  const child = spawn(OURS, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await Promise.race([new Promise((resolve) => child.stdout.once("data", resolve)), ended]);
  if (mountAt(mountpoint) === undefined) throw new Error("the daemon ended before it was ready");
  await sleep(SETTLE_MS);
  return {
    mountpoint,
    keeper: child.pid ?? 0,
    serving: () => allStates(state)[0].state.serving.pid,
    end: () => {
      child.kill("SIGTERM");
      return ended;
    },
  };
}

/** Kills the process that serves. @returns ms until a request is answered that no cache answers */
async function crash({ mountpoint, serving }: Kept): Promise<number> {
  const begin = performance.now();
  process.kill(serving(), "SIGKILL");
  await statfs(mountpoint);
  const ms = performance.now() - begin;
  await sleep(SETTLE_MS);
  return ms;
}

/** @returns longest of all requests, one after the other, until another process serves, ms */
async function upgrade({ mountpoint, keeper, serving }: Kept): Promise<number> {
  const before = serving();
  process.kill(keeper, "SIGHUP");
  let longest = 0;
  for (const end = performance.now() + LONGEST_MS; serving() === before && performance.now() < end; ) {
    const begin = performance.now();
    await statfs(mountpoint);
    longest = Math.max(longest, performance.now() - begin);
  }
  await sleep(SETTLE_MS);
  return longest;
}

async function nodeAlone(): Promise<number> {
  const begin = performance.now();
  await run([process.execPath, "--v8-pool-size=1", "-e", "0"], LONGEST_MS);
  return performance.now() - begin;
}

const program = new Command("takeover")
  .description("how long nobody answers when the process that serves dies, or is exchanged")
  .requiredOption("--bootstrap <file>")
  .requiredOption("--blob-dir <dir>")
  .option("--rounds <n>", "each measures all in shuffled order", Number, 10)
  .option("--seed <n>", "of the order", Number, 1);

program.action(({ bootstrap, blobDir, rounds, seed }) =>
  withWorkDir(async (dir, signal) => {
    const image = ["--bootstrap", bootstrap, "--blob-dir", blobDir];
    const daemons = [
      await keep(join(dir, "cold"), image, []),
      await keep(join(dir, "standby"), image, ["--standby"]),
    ];
    const [cold, warm] = daemons;
    const ways: Record<string, () => Promise<number>> = {
      "node alone": nodeAlone,
      crash: () => crash(cold),
      "crash, --standby": () => crash(warm),
      upgrade: () => upgrade(cold),
    };
    const all = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
    const random = generator(seed);
    for (let round = 0; round < rounds && !signal.aborted; round++)
      for (const name of shuffled(Object.keys(ways), random)) all.get(name)?.push(await ways[name]());
    const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${cold.keeper}/status`, "latin1"))?.[1];
    for (const daemon of daemons) await daemon.end();
    const alone = median(all.get("node alone") ?? []);
    for (const [name, ms] of all)
      process.stdout.write(
        `${name}: ${median(ms).toFixed(0)} ms [${Math.min(...ms).toFixed(0)}–${Math.max(...ms).toFixed(0)}], ` +
          `${(median(ms) / alone).toFixed(2)} of node alone\n`,
      );
    process.stdout.write(`keeper: ${rss} KiB\n`);
  }),
);
await program.parseAsync();
