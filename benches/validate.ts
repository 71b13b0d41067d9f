#!/usr/bin/env node
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Command } from "commander";
import type { BlobSearch } from "../src/blob/locate.ts";
import { openImage } from "../src/fs/open-image.ts";
import { isExecutable, which } from "./processes.ts";
import { median } from "./report.ts";
import { bytesOf, type TarShape, tarChunks } from "./tar-stream.ts";

interface Flags {
  readonly bootstrap?: string;
  readonly blobDir?: string;
  readonly inodes: string;
  readonly rounds: string;
  readonly mkfs?: string;
  readonly json?: string;
}

/** What opening one image costs: reading it, and the check of the whole tree. */
interface Cost {
  readonly image: string;
  readonly inodes: number;
  readonly seconds: readonly number[];
}

const flags = new Command("validate")
  .description("measure what opening an image costs: the check of its whole tree, no mount")
  .option("--bootstrap <file>", "an image's metadata")
  .option("--blob-dir <dir>", "where its tars are, by blob id")
  .option("--inodes <n>", "of the image made for this; 0 for none", "1000000")
  .option("--rounds <n>", "repetitions", "5")
  .option("--mkfs <file>", "mkfs.erofs; the one on PATH when absent")
  .option("--json <file>", "write every sample there")
  .parse()
  .opts<Flags>();

const costs: Cost[] = [];
if (flags.bootstrap !== undefined)
  costs.push(cost(flags.bootstrap, { dirs: flags.blobDir ? [flags.blobDir] : [], files: new Map() }));
const mkfs = flags.mkfs ?? which("mkfs.erofs");
if (Number(flags.inodes) > 0) {
  if (mkfs !== undefined && isExecutable(mkfs)) costs.push(await synthetic(mkfs, Number(flags.inodes)));
  else process.stderr.write("no image is made: no mkfs.erofs; name it with --mkfs\n");
}
process.stdout.write("| image | inodes | open and check, s | inodes/s | ns an inode |\n");
process.stdout.write("| --- | ---: | ---: | ---: | ---: |\n");
for (const { image, inodes, seconds } of costs) {
  const s = median(seconds);
  const spread = `${s.toFixed(3)} [${Math.min(...seconds).toFixed(3)}–${Math.max(...seconds).toFixed(3)}]`;
  const line = [image, inodes, spread, Math.round(inodes / s), Math.round((s / inodes) * 1e9)];
  process.stdout.write(`| ${line.join(" | ")} |\n`);
}
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(costs, null, 1)}\n`);

function cost(bootstrap: string, places: BlobSearch): Cost {
  const seconds: number[] = [];
  let inodes = 0;
  // The first is the one a daemon pays: nothing is compiled yet.
  for (let i = 0; i < Number(flags.rounds); i++) {
    const start = performance.now();
    inodes = openImage(bootstrap, places).report.inodes;
    seconds.push((performance.now() - start) / 1000);
  }
  process.stderr.write(`${bootstrap}: first ${seconds[0].toFixed(3)} s\n`);
  return { image: bootstrap, inodes, seconds };
}

/** An index of a tar that exists only as a stream; a file of the same length, all holes, stands in for it. */
async function synthetic(program: string, inodes: number): Promise<Cost> {
  const filesPerDirectory = 1000;
  const directories = Math.ceil(inodes / (filesPerDirectory + 1));
  const shape: TarShape = { files: inodes - 1 - directories, filesPerDirectory, fileSize: 100 };
  const dir = mkdtempSync(join(tmpdir(), "nydusd-ts-bench-"));
  try {
    const index = join(dir, "index.erofs");
    const tar = join(dir, "tar");
    const made = spawn(program, ["--quiet", "--tar=i", index], { stdio: ["pipe", "ignore", "inherit"] });
    const ended = new Promise<number | null>((resolve, reject) => {
      made.once("exit", resolve);
      made.once("error", reject);
    });
    await pipeline(Readable.from(tarChunks(shape)), made.stdin);
    const status = await ended;
    if (status !== 0) throw new Error(`${program} ended with status ${status}`);
    writeFileSync(tar, "");
    truncateSync(tar, bytesOf(shape));
    return { ...cost(index, { dirs: [], files: new Map(), single: tar }), image: "synthetic" };
  } finally {
    rmSync(dir, { recursive: true });
  }
}
