import { spawn } from "node:child_process";
import { statSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { median } from "./report.ts";
import { inodesOf, tarChunks } from "./tar-stream.ts";
import { withWorkDir } from "./work-dir.ts";

/**
 * `nydus-image-ts create --blob-id` for tars of a thousand to a million files: time, peak memory, bootstrap, and what an
 * entry costs beyond the smallest of them.
 */
const OURS = fileURLToPath(new URL("../bundle/nydus-image-ts.js", import.meta.url));
const SIZES = [1000, 10_000, 100_000, 1_000_000];

const command = new Command("growth")
  .description("measure how time and memory of create grow with the number of entries")
  .option("--rounds <n>", "repetitions of everything", "3");

interface Measured {
  readonly seconds: number;
  /** Peak resident memory. */
  readonly bytes: number;
}

/** Runs create, which tells its peak memory when it ends. */
function create(tar: string, boot: string, signal: AbortSignal): Promise<Measured> {
  const start = performance.now();
  const args = ["--v8-pool-size=1", "--import", PEAK, OURS, "create", "-B", boot, "--blob-id", "x", tar];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"], signal });
  let words = "";
  child.stderr.on("data", (chunk) => {
    words += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => {
      const peak = /peak (\d+)/.exec(words);
      if (status !== 0 || peak === null) reject(new Error(`create ended with status ${status}: ${words}`));
      else resolve({ seconds: (performance.now() - start) / 1000, bytes: Number(peak[1]) * 1024 });
    });
  });
}

/** Says the process's peak memory in KiB when it exits. */
const PEAK = `data:text/javascript,${encodeURIComponent(
  'process.on("exit", () => process.stderr.write("peak " + process.resourceUsage().maxRSS + "\\n"));',
)}`;

await withWorkDir(async (dir, signal) => {
  const { rounds } = command.parse().opts<{ rounds: string }>();
  const rows: { files: number; entries: number; seconds: number; bytes: number; boot: number }[] = [];
  for (const files of SIZES) {
    const tar = join(dir, "x.tar");
    const boot = join(dir, "x.boot");
    const shape = { files, filesPerDirectory: 50, fileSize: 100 };
    const file = await open(tar, "w");
    for (const chunk of tarChunks(shape)) await file.write(chunk);
    await file.close();
    const all: Measured[] = [];
    for (let round = 0; round < Number(rounds); round++) all.push(await create(tar, boot, signal));
    const of = (pick: (one: Measured) => number) => median(all.map(pick));
    const size = statSync(boot).size;
    rows.push({
      files,
      entries: inodesOf(shape),
      seconds: of((m) => m.seconds),
      bytes: of((m) => m.bytes),
      boot: size,
    });
    await rm(tar);
  }
  process.stdout.write(
    "| entries | seconds | µs an entry | peak MiB | bytes an entry beyond 90 MB | bootstrap, bytes an entry |\n|---|---|---|---|---|---|\n",
  );
  for (const { entries, seconds, bytes, boot } of rows) {
    const beyond = Math.max(0, (bytes - 90e6) / entries);
    const cells = [
      entries,
      seconds.toFixed(2),
      ((seconds * 1e6) / entries).toFixed(2),
      (bytes / 2 ** 20).toFixed(0),
      beyond.toFixed(0),
      (boot / entries).toFixed(0),
    ];
    process.stdout.write(`| ${cells.join(" | ")} |\n`);
  }
});
