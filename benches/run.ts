#!/usr/bin/env node
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { messageOf } from "../src/bytes/errors.ts";
import { Bench, type Setting } from "./bench.ts";
import { Load, type Reference, Refused } from "./load.ts";
import { Mounted } from "./mounted.ts";
import { generator, shuffled } from "./order.ts";
import { countLines, type Sample, table } from "./report.ts";
import { describeImage, SYSTEMS, type System, type Tools } from "./systems.ts";
import { withWorkDir } from "./work-dir.ts";
import { WORKLOADS } from "./workloads.ts";

interface Flags {
  readonly bootstrap: string;
  readonly blobDir: string;
  readonly systems?: string;
  readonly workloads?: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly seed: number;
  readonly app: string;
  readonly json?: string;
  readonly ts?: string;
  readonly tsFlags: string;
  readonly nydusd?: string;
  readonly erofsfuse?: string;
}

/** Words of a command line; quotes hold spaces together, and that is all they do. */
const words = (text: string): string[] =>
  [...text.matchAll(/'([^']*)'|"([^"]*)"|[^\s'"]+/g)].map(
    ([word, single, double]) => single ?? double ?? word,
  );
const progress = (message: string) => process.stderr.write(`${message}\n`);

function positive(text: string): number {
  const n = Number(text);
  if (n > 0 && Number.isFinite(n)) return n;
  throw new InvalidArgumentError("want a number above 0.");
}

const command = new Command("run")
  .description("measure nydusd-ts beside the other ways to mount the same image")
  .requiredOption("--bootstrap <file>", "the image's metadata")
  .requiredOption("--blob-dir <dir>", "where its tars are, by blob id")
  .option("--systems <names>", `of ${[...SYSTEMS.keys()].join(",")}; all that are installed when absent`)
  .option("--workloads <names>", `of ${[...WORKLOADS.keys()].join(",")}; all when absent`)
  .option("--rounds <n>", "repetitions of everything", positive, 5)
  .option("--seconds <n>", "length of the storm and of the 4 KiB reads", positive, 3)
  .option("--seed <n>", "of the order in each round", positive, 1)
  .option("--app <command>", "program start to measure inside the image", "python3 -c 'import numpy'")
  .option("--json <file>", "write every sample there")
  .option("--ts <file>", "the nydusd-ts.js to measure; this build's when absent")
  .option("--ts-flags <flags>", "more flags for it", "")
  .option("--nydusd <file>", "genuine nydusd; the one on PATH when absent")
  .option("--erofsfuse <file>", "the one on PATH when absent");

async function main(flags: Flags, workDir: string, signal: AbortSignal): Promise<void> {
  const workloads = pick(WORKLOADS, flags.workloads);
  const image = describeImage(flags.bootstrap, flags.blobDir, workDir);
  const load = await Load.compile(workDir, signal);
  const { ts, nydusd, erofsfuse } = flags;
  const tools: Tools = { load: load.program, ts, tsFlags: words(flags.tsFlags), nydusd, erofsfuse };
  const systems: System[] = [];
  for (const [name, setup] of pick(SYSTEMS, flags.systems)) {
    const system = await setup(image, tools);
    if (typeof system !== "string") systems.push(system);
    else if (flags.systems !== undefined) throw new Error(`${name}: ${system}`);
    else progress(`without ${name}: ${system}`);
  }
  const lister = systems.find(({ isDaemon }) => !isDaemon) ?? systems[0];
  if (lister === undefined) throw new Error("nothing to measure");
  const reference = await listTree(lister, load, workDir, signal);
  progress(
    `${reference.entries} entries, ${reference.files} files, ${(reference.bytes / 1e6).toFixed(0)} MB`,
  );

  const setting: Setting = { image, load, reference, seconds: flags.seconds, app: words(flags.app), signal };
  const random = generator(flags.seed);
  const samples: Sample[] = [];
  try {
    for (let round = 1; round <= flags.rounds; round++)
      for (const [workload, { run }] of shuffled([...workloads], random))
        for (const system of shuffled(systems, random)) {
          const sample = await measure(new Bench(system, setting), { round, workload }, run);
          signal.throwIfAborted();
          samples.push(sample);
          progress(
            `${round} ${workload} ${system.name}: ${sample.problem ?? JSON.stringify(sample.figures)}`,
          );
        }
  } finally {
    const names = systems.map(({ name }) => name);
    const base = ["nydusd", "erofs"].find((name) => names.includes(name)) ?? names[0];
    const counted = countLines(samples);
    process.stdout.write(`${table(samples, workloads, names, base)}\n\n`);
    process.stdout.write(`Median [least–most] (ratio to ${base}; above 1 is better).\n`);
    if (counted.length > 0) process.stdout.write(`\nServed, median by mount:\n\n${counted.join("\n")}\n`);
    const record = { command: process.argv.slice(2), reference: { ...reference, list: undefined }, samples };
    if (flags.json !== undefined) await writeFile(flags.json, `${JSON.stringify(record, null, 1)}\n`);
  }
  if (samples.some(({ problem }) => problem !== undefined)) process.exitCode = 1;
}

async function measure(
  bench: Bench,
  { round, workload }: { round: number; workload: string },
  run: (b: Bench) => Promise<Record<string, number>>,
): Promise<Sample> {
  const sample = { round, workload, system: bench.system.name, counts: bench.counts };
  try {
    return { ...sample, figures: await run(bench) };
  } catch (error) {
    if (error instanceof Refused) return { ...sample, figures: {} };
    return { ...sample, figures: {}, problem: messageOf(error) };
  }
}

async function listTree(system: System, load: Load, dir: string, signal: AbortSignal): Promise<Reference> {
  const m = await Mounted.start(system, load.program, dir, signal);
  try {
    return await load.list(m.path, join(dir, "names"));
  } finally {
    await m.stop();
  }
}

function pick<T>(all: ReadonlyMap<string, T>, names: string | undefined): Map<string, T> {
  if (names === undefined) return new Map(all);
  const wanted = names.split(",");
  const unknown = wanted.find((name) => !all.has(name));
  if (unknown !== undefined) throw new Error(`${unknown} is none of ${[...all.keys()].join(", ")}`);
  return new Map([...all].filter(([name]) => wanted.includes(name)));
}

command.parse();
await withWorkDir((dir, signal) => main(command.opts<Flags>(), dir, signal));
