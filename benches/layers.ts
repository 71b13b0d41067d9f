import { spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { median } from "./report.ts";
import { tarChunks } from "./tar-stream.ts";
import { withWorkDir } from "./work-dir.ts";

/** CPU time that a layer of a few kilobytes takes in `nydus-image-ts create` of many of them, and in another program. */
const OURS = fileURLToPath(new URL("../../bin/nydus-image-ts.mjs", import.meta.url));

const command = new Command("layers")
  .description("measure the CPU time of short layers")
  .option("--rounds <n>", "repetitions of everything, interleaved", "9")
  .option("--layers <n>", "how many there are", "254")
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
  const { rounds, layers, beside } = command
    .parse()
    .opts<{ rounds: string; layers: string; beside?: string }>();
  const tars = Array.from({ length: Number(layers) }, (_, i) => join(dir, `${i}.tar`));
  for (const [i, tar] of tars.entries())
    await writeFile(tar, [...tarChunks({ files: 4, filesPerDirectory: 4, fileSize: 200 + i })]);
  const blobs = join(dir, "blobs");
  const create = [OURS, "create", "-B", join(dir, "image.boot"), "-D", blobs];
  const programs = [{ name: "nydus-image-ts", words: create }];
  if (beside !== undefined) programs.push({ name: beside, words: [beside, blobs] });
  const found = programs.map(({ name }) => ({ name, ms: [] as number[] }));
  for (let round = 0; round < Number(rounds); round++)
    for (const [i, { words }] of programs.entries()) {
      const [one = 0, all = 0] = await series([tars.slice(0, 1), tars], async (some) => {
        await mkdir(blobs);
        const ms = await cpuTime([...words, ...some], signal);
        await rm(blobs, { recursive: true });
        return ms;
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

async function series<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}
