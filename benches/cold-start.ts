#!/usr/bin/env node
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { messageOf } from "../src/bytes/errors.ts";
import { summarizeFile, summaryPaths } from "../src/trace/summary.ts";
import { Load } from "./load.ts";
import { Mounted } from "./mounted.ts";
import { generator, shuffled } from "./order.ts";
import { dropCaches } from "./processes.ts";
import { type Sample, table } from "./report.ts";
import {
  type BenchImage,
  describeImage,
  erofs,
  nydusd,
  nydusdTs,
  type Setup,
  type System,
} from "./systems.ts";
import { withWorkDir } from "./work-dir.ts";
import type { Workload } from "./workloads.ts";

interface Flags {
  readonly bootstrap: string;
  readonly blobDir: string;
  readonly rounds: string;
  readonly app: string;
  readonly systems?: string;
}

const PATIENCE_MS = 60_000;
const progress = (message: string) => process.stderr.write(`${message}\n`);
const ROWS: Workload["rows"] = [
  { key: "output", title: "mount command to the program's first output", unit: "s" },
  { key: "mount", title: "– to the first stat", unit: "s" },
  { key: "program", title: "– from there to the output", unit: "s" },
];

const command = new Command("cold-start")
  .description(
    "measure from the start of a mount command to what a program inside says first, nothing cached",
  )
  .requiredOption("--bootstrap <file>", "the image's metadata")
  .requiredOption("--blob-dir <dir>", "where its tars are, by blob id")
  .option("--rounds <n>", "repetitions of everything", "5")
  .option("--systems <names>", "some of the columns")
  .option("--app <command>", "the program, run by the image's own sh", "python3 -c 'import numpy; print(1)'");

async function main(flags: Flags, dir: string, signal: AbortSignal): Promise<void> {
  const image = describeImage(flags.bootstrap, flags.blobDir, dir);
  const load = await Load.compile(dir, signal);
  const app = ["sh", "-c", flags.app];
  const trace = join(dir, "trace");
  const list = join(dir, "list");
  await coldStart(await set(nydusdTs("tracing", ["--trace", trace])), load, app, dir, signal);
  await writeFile(list, summaryPaths(summarizeFile(trace)));

  const setups: Setup[] = [
    nydusdTs("nydusd-ts", ["--prefetch", "off"]),
    nydusdTs("nydusd-ts, trace", ["--prefetch-files", trace]),
    nydusdTs("nydusd-ts, list", ["--prefetch-files", list]),
    nydusd("nydusd"),
    nydusd("nydusd, list", list),
    erofs,
    erofsByUs("nydusd-ts, erofs", ["--prefetch", "off"]),
    erofsByUs("nydusd-ts, erofs, trace", ["--prefetch-files", trace]),
  ];
  const all = await Promise.all(setups.map(set));
  const wanted = flags.systems?.split(";");
  const systems = all.filter(({ name }) => wanted === undefined || wanted.includes(name));
  const random = generator(1);
  const samples: Sample[] = [];
  for (let round = 1; round <= Number(flags.rounds); round++)
    for (const system of shuffled(systems, random)) {
      const sample = { round, workload: "cold-start", system: system.name, counts: {} };
      const figures = await coldStart(system, load, app, dir, signal).catch((error) => messageOf(error));
      signal.throwIfAborted();
      samples.push(
        typeof figures === "string" ? { ...sample, figures: {}, problem: figures } : { ...sample, figures },
      );
      progress(`${round} ${system.name}: ${JSON.stringify(figures)}`);
    }
  const names = systems.map(({ name }) => name);
  const rows = new Map([["cold-start", { rows: ROWS, run: async () => ({}) }]]);
  process.stdout.write(`${table(samples, rows, names, names[0])}\n\n`);
  process.stdout.write(`Median [least–most] (ratio to ${names[0]}; above 1 is better).\n`);

  async function set(setup: Setup): Promise<System> {
    const system = await setup(image, { load: load.program, tsFlags: [] });
    if (typeof system === "string") throw new Error(system);
    return system;
  }
}

/** The kernel's EROFS, mounted by nydusd-ts: it stays as long as it warms. */
const erofsByUs =
  (name: string, flags: readonly string[]): Setup =>
  async (image, tools) => {
    const system = await nydusdTs(name, [])(image, tools);
    if (typeof system === "string") return system;
    const [program] = system.command("");
    return { name, isDaemon: false, command: (m) => [program, ...mountWords(image, m), ...flags] };
  };

const mountWords = ({ bootstrap, blobDir }: BenchImage, mountpoint: string): string[] => [
  ...["mount", bootstrap, mountpoint, "--blob-dir", blobDir, "--driver", "erofs"],
];

/** Node's own milliseconds between the two are in all figures alike. */
async function coldStart(
  system: System,
  load: Load,
  app: readonly string[],
  dir: string,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  await dropCaches(signal);
  const begin = performance.now();
  const m = await Mounted.start(system, load.program, dir, signal);
  try {
    const ready = performance.now();
    const output = await firstOutput([load.program, "app", m.path, ...app]);
    return {
      output: (output - begin) / 1000,
      mount: (ready - begin) / 1000,
      program: (output - ready) / 1000,
    };
  } finally {
    await m.stop();
  }
}

/** @returns when a command said something first */
async function firstOutput([program, ...args]: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], timeout: PATIENCE_MS });
  let at = 0;
  child.stdout.on("data", () => {
    at ||= performance.now();
  });
  const status = await new Promise((resolve) => child.once("close", resolve));
  if (status !== 0 || at === 0) throw new Error(`the program ended with ${status}`);
  return at;
}

command.parse();
await withWorkDir((dir, signal) => main(command.opts<Flags>(), dir, signal));
