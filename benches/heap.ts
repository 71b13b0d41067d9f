#!/usr/bin/env node
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { BlobFiles } from "../src/blob/blob-files.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../src/bytes/errno.ts";
import { putU64 } from "../src/bytes/u64.ts";
import { Image } from "../src/erofs/image.ts";
import { ImageFileSystem } from "../src/fs/image-file-system.ts";
import { openImage } from "../src/fs/open-image.ts";
import { newFrame } from "../src/fuse/frame.ts";
import { Known } from "../src/fuse/known.ts";
import { ops } from "../src/fuse/ops.ts";
import { account } from "../src/fuse/serve.ts";
import { IN, IN_HEADER, OP, READ_IN } from "../src/fuse/wire.ts";
import { FileAccounts, newAccounts } from "../src/metrics/file-accounts.ts";
import { median } from "./report.ts";
import { walkTree } from "./tree.ts";

const STEP = 50_000;

const { bootstrap, blobDir, count } = new Command("heap")
  .description("measure what one request costs inside the daemon: heap bytes and time, no mount, no kernel")
  .requiredOption("--bootstrap <file>", "the image's metadata")
  .requiredOption("--blob-dir <dir>", "where its tars are, by blob id")
  .option("--count <n>", "requests of each kind", "1000000")
  .parse()
  .opts<{ bootstrap: string; blobDir: string; count: string }>();

// A young generation that holds everything: no collection falls between two readings of the heap.
const gc = globalThis.gc;
if (gc === undefined) {
  const self = ["--expose-gc", "--max-semi-space-size=256", "--min-semi-space-size=256"];
  const argv = [...self, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, argv, { stdio: "inherit" }).status ?? 1);
}

const opened = openImage(bootstrap, { dirs: [blobDir], files: new Map() }, false);
const onLoss = (_: number, problem: string) => process.stderr.write(`${problem}\n`);
const fs = new ImageFileSystem(new Image(opened.handle), new BlobFiles(opened.files, onLoss));
const frame = newFrame(1 << 20);
const nodes = Math.ceil(opened.handle.shared.byteLength / 32);
const known = new Known(nodes);
const accounts = new FileAccounts(newAccounts(nodes));
const kept: unknown[] = [];
const found = walkTree(fs);
const directories = found.filter((f) => (f.mode & S_IFMT) === S_IFDIR);
const files = found.filter((f) => (f.mode & S_IFMT) === S_IFREG && f.size > 0);
const big = files.reduce((most, f) => (f.size > most.size ? f : most));
const pages = Math.max(1, Math.floor(big.size / 4096));

process.stdout.write(
  `| request | heap bytes each, first ${STEP} | later | µs each, later | counted by file, bytes | µs |\n`,
);
process.stdout.write("| --- | ---: | ---: | ---: | ---: | ---: |\n");
measure("READ 4 KiB, one big file", OP.READ, (i) => {
  ask(big.node, READ_IN.SIZE + 8);
  putU64(frame.inView, READ_IN.OFFSET, ((i * 7919) % pages) * 4096);
  frame.inView.setUint32(READ_IN.SIZE, 4096, true);
});
measure("READ 4 KiB, all files", OP.READ, (i) => {
  ask(files[(i * 7919) % files.length].node, READ_IN.SIZE + 8);
  putU64(frame.inView, READ_IN.OFFSET, 0);
  frame.inView.setUint32(READ_IN.SIZE, 4096, true);
});
measure("LOOKUP, known names", OP.LOOKUP, (i) => {
  const { parent, name } = found[(i * 7919) % found.length];
  ask(parent, IN_HEADER + name.length);
  frame.in.set(name, IN_HEADER);
});
measure("LOOKUP, unknown names", OP.LOOKUP, (i) => {
  const { parent, name } = found[(i * 7919) % found.length];
  ask(parent, IN_HEADER + name.length);
  frame.in.set(name, IN_HEADER);
  frame.in[IN_HEADER] ^= 0x80;
});
measure("GETATTR", OP.GETATTR, (i) => ask(found[(i * 7919) % found.length].node, IN_HEADER + 16));
measure("READDIRPLUS, first 4 KiB of a directory", OP.READDIRPLUS, (i) => {
  ask(directories[(i * 7919) % directories.length].node, READ_IN.SIZE + 8);
  putU64(frame.inView, READ_IN.OFFSET, 0);
  frame.inView.setUint32(READ_IN.SIZE, 4096, true);
});

// A measurement that would miss an allocation shows here.
measure(
  "(control: GETATTR and one new object kept)",
  OP.GETATTR,
  (i) => ask(found[i % found.length].node, IN_HEADER + 16),
  true,
);

/** The header of a request of `length` bytes about `node`. */
function ask(node: number, length: number): void {
  frame.length = length;
  putU64(frame.inView, IN.NODEID, node);
}

/** Calls an operation as a worker does; what making the requests costs is measured too, and taken off. */
function measure(title: string, opcode: number, request: (i: number) => void, isControl = false): void {
  const op = ops[opcode];
  const answer = (i: number): number => {
    request(i);
    const result = op(fs, frame, known);
    if (result < 0) throw new Error(`${title}: answered ${result}`);
    if (isControl) kept.push({ result, i });
    return result;
  };
  const all = repeat(answer);
  const counted = repeat((i) => account(frame, accounts, opcode, answer(i)));
  const empty = repeat(request);
  const first = (all.firstBytes - empty.firstBytes) / STEP;
  const cost = (of: Repeated) => [
    ((of.bytes - empty.bytes) / STEP).toFixed(1),
    (((of.ms - empty.ms) / STEP) * 1000).toFixed(2),
  ];
  process.stdout.write(`| ${[title, first.toFixed(1), ...cost(all), ...cost(counted)].join(" | ")} |\n`);
}

interface Repeated {
  readonly firstBytes: number;
  readonly bytes: number;
  readonly ms: number;
}

/** Runs in steps, so that a collection in the middle of one would be seen. Medians of the second half of them. */
function repeat(body: (i: number) => void): Repeated {
  const bytes: number[] = [];
  const ms: number[] = [];
  const steps = Math.max(2, Math.ceil(Number(count) / STEP));
  for (let step = 0; step < steps; step++) {
    kept.length = 0;
    gc?.();
    const before = process.memoryUsage().heapUsed;
    const start = performance.now();
    for (let i = step * STEP; i < (step + 1) * STEP; i++) body(i);
    ms.push(performance.now() - start);
    bytes.push(process.memoryUsage().heapUsed - before);
    if (bytes[step] < 0) throw new Error("the heap was collected in the middle of a step");
  }
  const half = steps >> 1;
  return { firstBytes: bytes[0], bytes: median(bytes.slice(half)), ms: median(ms.slice(half)) };
}
