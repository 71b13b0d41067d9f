import { spawn } from "node:child_process";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { mustAnswer } from "../src/containerd/answers.ts";
import { run } from "./processes.ts";
import { median } from "./report.ts";
import { withWorkDir } from "./work-dir.ts";

/** How soon after its start `nydus-snapshotter-ts` answers containerd, held against a Node that does nothing. */
const OURS = fileURLToPath(new URL("../bundle/nydus-snapshotter-ts.js", import.meta.url));
const LONGEST_MS = 60_000;

const command = new Command("first-answer")
  .description("measure when a snapshotter that is started answers its first call")
  .option("--rounds <n>", "repetitions of everything, interleaved", "15")
  .option("--ours <file...>", "bundles of nydus-snapshotter-ts", [OURS]);

/** A Node that does nothing, ms. */
async function nothing(signal: AbortSignal): Promise<number> {
  const began = performance.now();
  await run([process.execPath, "-e", "0"], LONGEST_MS, signal);
  return performance.now() - began;
}

/** From the start of the process to the first connection, and to the first answer, ms. */
async function firstAnswer(program: string, dir: string, signal: AbortSignal): Promise<[number, number]> {
  const address = join(dir, "s.sock");
  const words = [program, "--root", join(dir, "root"), "--address", address];
  const began = performance.now();
  const child = spawn(process.execPath, ["--v8-pool-size=1", ...words], { stdio: "ignore", signal });
  while (!(await takes(address))) await setTimeout(1);
  const connected = performance.now() - began;
  await mustAnswer(address, signal);
  const answered = performance.now() - began;
  child.kill("SIGTERM");
  await once(child, "exit");
  await rm(address, { force: true });
  return [connected, answered];
}

const takes = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(address, () => resolve(socket.destroy() !== undefined));
    socket.once("error", () => resolve(false));
  });

await withWorkDir(async (dir, signal) => {
  const { rounds, ours } = command.parse().opts<{ rounds: string; ours: readonly string[] }>();
  const base: number[] = [];
  const found = ours.map((program) => ({ program, connected: [] as number[], answered: [] as number[] }));
  for (const { program } of found) await firstAnswer(program, dir, signal); // its root is there afterwards
  for (let round = 0; round < Number(rounds); round++) {
    base.push(await nothing(signal));
    for (const { program, connected, answered } of found) {
      const [first, second] = await firstAnswer(program, dir, signal);
      connected.push(first);
      answered.push(second);
    }
  }
  const shown = (ms: readonly number[]) => {
    const ratio = median(ms.map((each, round) => each / (base[round] ?? Number.NaN)));
    return `${median(ms).toFixed(0)} [${Math.min(...ms).toFixed(0)}–${Math.max(...ms).toFixed(0)}] ms, ${ratio.toFixed(2)} × node -e 0`;
  };
  process.stdout.write(`node -e 0: ${shown(base)}\n`);
  for (const { program, connected, answered } of found)
    process.stdout.write(
      `${program}\n  takes connections: ${shown(connected)}\n  has answered: ${shown(answered)}\n`,
    );
});
