#!/usr/bin/env node
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { Load } from "./load.ts";
import { Mounted } from "./mounted.ts";
import { generator, shuffled } from "./order.ts";
import { median } from "./report.ts";
import { describeImage, SYSTEMS } from "./systems.ts";
import { withWorkDir } from "./work-dir.ts";

interface Flags {
  readonly bootstrap: string;
  readonly blobDir: string;
  readonly rounds: string;
  readonly seconds: string;
  readonly connections: string;
  readonly ts?: string;
}

/** Who is flooded while a reader is timed; a dummy that costs readers no CPU shows what the flood itself costs. */
const VICTIMS = ["nobody", "dummy", "daemon"] as const;
type Victim = (typeof VICTIMS)[number];
const JOBS = [1, 4];

const command = new Command("flood")
  .description("measure what a flood of the management API costs readers of the mount")
  .requiredOption("--bootstrap <file>", "the image's metadata")
  .requiredOption("--blob-dir <dir>", "where its tars are, by blob id")
  .option("--rounds <n>", "repetitions", "9")
  .option("--seconds <n>", "length of each measurement", "1")
  .option("--ts <file>", "the nydusd-ts.js to measure; this build's when absent")
  .option("--connections <n>", "of the flood", "200");

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const FLOODER = script("../test/support/flooder.js");

/** A script in a process of its own, once it has said something. What it uses of the CPUs is not in question. */
async function begin(...argv: readonly string[]): Promise<ChildProcess> {
  const child = spawn("nice", ["-n19", process.execPath, ...argv], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

async function end(child: ChildProcess): Promise<string> {
  let text = "";
  child.stdout?.on("data", (chunk) => {
    text += chunk;
  });
  if (child.exitCode !== null || child.signalCode !== null) return "ended too early";
  child.kill("SIGCONT");
  child.kill("SIGTERM");
  await once(child, "close");
  return text;
}

async function main(flags: Flags, workDir: string, signal: AbortSignal): Promise<void> {
  const image = describeImage(flags.bootstrap, flags.blobDir, workDir);
  const load = await Load.compile(workDir, signal);
  const [api, other] = [join(workDir, "api.sock"), join(workDir, "dummy.sock")];
  const system = await SYSTEMS.get("nydusd-ts")?.(image, {
    load: load.program,
    ts: flags.ts,
    tsFlags: ["--apisock", api],
  });
  if (system === undefined || typeof system === "string") throw new Error(`nydusd-ts: ${system}`);
  const dummy = await begin(script("./dummy-api.js"), other);
  const mount = await Mounted.start(system, load.program, workDir, signal);
  const figures = new Map<string, number[]>();
  const note = (key: string, value: number) => figures.set(key, [...(figures.get(key) ?? []), value]);
  const random = generator(1);
  // Stopped until it is measured what they do.
  const flooder = async (socket: string) => {
    const child = await begin(FLOODER, socket, flags.connections);
    child.kill("SIGSTOP");
    return child;
  };
  const floods: Partial<Record<Victim, ChildProcess>> = {
    daemon: await flooder(api),
    dummy: await flooder(other),
  };
  try {
    const { largest } = await load.list(mount.path, join(workDir, "list"));
    const measure = async (victim: Victim, jobs: number) => {
      floods[victim]?.kill("SIGCONT");
      const before = mount.cpu();
      const begun = performance.now();
      const reads = await load.random(join(mount.path, largest), "direct", jobs, Number(flags.seconds));
      floods[victim]?.kill("SIGSTOP");
      note(`${victim} ${jobs}`, reads);
      note(`cpu ${victim} ${jobs}`, (mount.cpu() - before) / ((performance.now() - begun) / 1000));
    };
    for (const jobs of JOBS) await measure("nobody", jobs); // the first is what compiles
    figures.clear();
    for (let round = 0; round < Number(flags.rounds); round++)
      for (const jobs of shuffled(JOBS, random))
        for (const victim of shuffled(VICTIMS, random)) await measure(victim, jobs);
  } finally {
    for (const [victim, child] of Object.entries(floods))
      process.stderr.write(`${victim}: ${(await end(child)).trim()}\n`);
    await mount.stop();
    await end(dummy);
  }
  process.stdout.write(
    "| flooded | 4 KiB O_DIRECT reads a second | of those without a flood | daemon's CPUs |\n",
  );
  process.stdout.write("| --- | ---: | ---: | ---: |\n");
  for (const jobs of JOBS)
    for (const victim of VICTIMS) {
      const all = figures.get(`${victim} ${jobs}`) ?? [];
      const quiet = figures.get(`nobody ${jobs}`) ?? [];
      const ratios = all.map((value, i) => value / quiet[i]);
      const ratio = `${median(ratios).toFixed(2)} [${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}]`;
      const cpu = median(figures.get(`cpu ${victim} ${jobs}`) ?? []).toFixed(2);
      process.stdout.write(
        `| ${victim}, ${jobs} readers | ${median(all).toFixed(0)} | ${ratio} | ${cpu} |\n`,
      );
    }
}

await withWorkDir((workDir, signal) => main(command.parse().opts<Flags>(), workDir, signal));
