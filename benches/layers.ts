import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { median } from "./report.ts";
import { withWorkDir } from "./work-dir.ts";

/** CPU time that a layer of a few kilobytes takes in `nydus-image-ts create` of many of them, and in another program. */
const OURS = fileURLToPath(new URL("../../bin/nydus-image-ts.mjs", import.meta.url));

const command = new Command("layers")
  .description("measure the CPU time of short layers")
  .option("--rounds <n>", "repetitions of everything, interleaved", "9")
  .option("--layers <n>", "how many there are", "254")
  .option("--sizes <bytes,...>", "of the files in each: the mean", "300,300,300,300")
  .option("--beside <program>", "what unpacks layers, called as PROGRAM ROOT LAYER…");

/** User and system time of a program and of those it started, ms. */
function cpuTime(words: readonly string[], signal: AbortSignal): Promise<number> {
  const script = 'TIMEFORMAT="%U %S"; time "$@" >/dev/null';
  const child = spawn("bash", ["-c", script, "bash", ...words], {
    stdio: ["ignore", "ignore", "pipe"],
    signal,
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      const [user, system] = said.trim().split(" ").map(Number);
      if (status !== 0 || user === undefined || system === undefined)
        reject(new Error(`${words[0]} ended with status ${status}: ${said}`));
      else resolve(1000 * (user + system));
    });
  });
}

await withWorkDir(async (dir, signal) => {
  const { rounds, layers, sizes, beside } = command
    .parse()
    .opts<{ rounds: string; layers: string; sizes: string; beside?: string }>();
  const numbers = Array.from({ length: Number(layers) }, (_, i) => i);
  const tars = await series(numbers, (i) => layer(dir, i, sizes.split(",").map(Number), signal));
  const programs = [
    {
      name: "nydus-image-ts",
      words: (blobs: string) => [OURS, "create", "-B", join(dir, "image.boot"), "-D", blobs],
    },
  ];
  if (beside !== undefined) programs.push({ name: beside, words: (blobs) => [beside, blobs] });
  let runs = 0;
  const found = programs.map(({ name }) => ({ name, ms: [] as number[] }));
  for (let round = 0; round < Number(rounds); round++)
    for (const [i, { words }] of programs.entries()) {
      const [one = 0, all = 0] = await series([tars.slice(0, 1), tars], async (some) => {
        // Nothing is removed until the end: ext4 takes up to ten times as long where inodes were freed seconds ago.
        const blobs = join(dir, `blobs-${runs++}`);
        await mkdir(blobs);
        return cpuTime([...words(blobs), ...some], signal);
      });
      found[i]?.ms.push((all - one) / (tars.length - 1));
    }
  const [ours] = found;
  for (const { name, ms } of found) {
    const ratio = median(ms.map((each, round) => (ours?.ms[round] ?? 0) / each));
    process.stdout.write(
      `${name}: ${median(ms).toFixed(2)} [${Math.min(...ms).toFixed(2)}–${Math.max(...ms).toFixed(2)}] ms a layer, nydus-image-ts takes ${ratio.toFixed(2)} of it\n`,
    );
  }
});

/** The tar of one layer, by GNU tar: files of no other layer in a directory that a few have. */
async function layer(dir: string, i: number, sizes: readonly number[], signal: AbortSignal): Promise<string> {
  const from = join(dir, `files-${i}`);
  const shared = join(from, `d${i % 16}`);
  await mkdir(shared, { recursive: true });
  for (const [k, size] of sizes.entries())
    await writeFile(
      join(shared, `f${i}-${k}`),
      randomBytes(Math.max(1, Math.round(size * (0.7 + (0.6 * i) / 254)))),
    );
  const tar = join(dir, `${i}.tar`);
  await cpuTime(["tar", "-C", from, "-cf", tar, "."], signal);
  return tar;
}

async function series<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
