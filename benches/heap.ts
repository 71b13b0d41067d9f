#!/usr/bin/env node
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { HeldFiles } from "../src/blob/held-files.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../src/bytes/errno.ts";
import { putU64, u64 } from "../src/bytes/u64.ts";
import { newFrame } from "../src/fuse/frame.ts";
import { answer } from "../src/fuse/ops.ts";
import { newControl } from "../src/fuse/control.ts";
import { IN, IN_HEADER, READ_IN } from "../src/fuse/wire.ts";
import { OP } from "../src/vfs/opcodes.ts";
import { openLog } from "../src/log/log.ts";
import { newInflight } from "../src/counters/inflight.ts";
import { namesOf } from "../src/pseudo/pseudo-tree.ts";
import { ALL_FILE_RECORDS, NO_FILE_RECORDS } from "../src/session/file-records.ts";
import { openAndPin } from "../src/session/pinned-image.ts";
import { WorkerImages } from "../src/session/worker-images.ts";
import { median } from "./report.ts";
import { walkTree } from "./tree.ts";
import { stillImages } from "../test/support/still-images.ts";

const STEP = 50_000;

const { bootstrap, blobDir, count, at, fileStats } = new Command("heap")
  .description("measure what one request costs inside the daemon: heap bytes and time, no mount, no kernel")
  .requiredOption("--bootstrap <file>", "the image's metadata")
  .requiredOption("--blob-dir <dir>", "where its tars are, by blob id")
  .option("--count <n>", "requests of each kind", "1000000")
  .option("--at <path>", "where it is mounted within the session", "/")
  .option("--file-stats", "count each file by itself", false)
  .parse()
  .opts<{ bootstrap: string; blobDir: string; count: string; at: string; fileStats: boolean }>();

// A young generation that holds everything: no collection falls between two readings of the heap.
const gc = globalThis.gc;
if (gc === undefined) {
  const self = ["--expose-gc", "--max-semi-space-size=256", "--min-semi-space-size=256"];
  const argv = [...self, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
  process.exit(spawnSync(process.execPath, argv, { stdio: "inherit" }).status ?? 1);
}

const held = new HeldFiles();
const records = fileStats ? ALL_FILE_RECORDS : NO_FILE_RECORDS;
const places = { dirs: [blobDir], files: new Map() };
const log = openLog("warn");
const inflightTable = newInflight(1);
const { imageTable } = stillImages(held, newControl(1), inflightTable, log);
const pinned = openAndPin(
  { bootstrap, places, lenient: false, id: "", records, prefetch: undefined },
  held,
  log,
);
imageTable.mountFirst(namesOf(at) ?? [], pinned);
const { handle } = pinned.image;
const images = new WorkerImages(
  {
    traits: handle,
    since: 0,
    isFixed: at === "/",
    maxOpen: 256,
    counters: imageTable.slots.session,
    inflightTable,
  },
  { index: 0, row: 0, mutex: undefined },
  (event) => process.stderr.write(`${JSON.stringify(event)}\n`),
);
images.apply(imageTable.snapshot());
const { ledger } = images;
const fs = images.fileSystem();
const frame = newFrame(1 << 20);
const kept: unknown[] = [];
const found = walkTree(fs);
const directories = found.filter((f) => (f.mode & S_IFMT) === S_IFDIR);
const files = found.filter((f) => (f.mode & S_IFMT) === S_IFREG && f.size > 0);
const big = files.reduce((most, f) => (f.size > most.size ? f : most));
const pages = Math.max(1, Math.floor(big.size / 4096));

process.stdout.write(`| request | heap bytes each, first ${STEP} | later | µs each, later |\n`);
process.stdout.write("| --- | ---: | ---: | ---: |\n");
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
  const all = repeat((i) => {
    request(i);
    const result = answer(fs, frame, ledger, opcode);
    ledger.countFile(u64(frame.inView, IN.NODEID), frame, opcode, result);
    ledger.flush(u64(frame.inView, IN.NODEID));
    if (result < 0) throw new Error(`${title}: answered ${result}`);
    if (isControl) kept.push({ result, i });
  });
  const empty = repeat(request);
  const bytes = (all.bytes - empty.bytes) / STEP;
  const first = (all.firstBytes - empty.firstBytes) / STEP;
  const time = ((all.ms - empty.ms) / STEP) * 1000;
  process.stdout.write(`| ${title} | ${first.toFixed(1)} | ${bytes.toFixed(1)} | ${time.toFixed(2)} |\n`);
}

/** Runs in steps, so that a collection in the middle of one would be seen. Medians of the second half of them. */
function repeat(body: (i: number) => void): { firstBytes: number; bytes: number; ms: number } {
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
