import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { HeldFiles } from "../../src/blob/held-files.ts";
import { openLog } from "../../src/log/log.ts";
import { COUNT } from "../../src/counters/counters.ts";
import { WorkerPool } from "../../src/session/worker-pool.ts";
import { freshSeed } from "../../src/seed/fresh.ts";
import { runSession } from "../../src/session/run.ts";
import { NO_FILE_RECORDS } from "../../src/session/file-records.ts";
import { openAndPin } from "../../src/session/pinned-image.ts";

/**
 * Mounts and unmounts an image again and again in one process, and prints what the process holds before, half-way
 * and after: `node --expose-gc cycles.js CYCLES BOOTSTRAP TAR`. The first cycles are not counted: they fill pools and caches.
 */
const WARM_UP = 20;
/**
 * In one cycle of so many, one reads two thirds in their order, which is pushed, then others everything side by side, so that every
 * thread there can be takes part; before that, until each has.
 */
const READ_EVERY = 25;
const READ_ALL =
  'ls -l "$1" >/dev/null; cat "$1"/f00* >/dev/null; sleep 0.3; cat "$1"/f0* >/dev/null; for i in 1 2 3 4 5 6 7 8; do cat "$1"/* >/dev/null & done; wait';
const run = promisify(execFile);
const [cycles, bootstrap, tar] = process.argv.slice(2);
const mountpoint = mkdtempSync(join(tmpdir(), "nydusd-ts-cycles-"));
const log = openLog("warn");

let pushed = 0;
let crowded = 0;
const isRead = (i: number): boolean => i % READ_EVERY === 0 || pushed === 0 || crowded === 0;

async function cycle(withReaders: boolean): Promise<void> {
  const held = new HeldFiles();
  const places = { dirs: [], files: new Map([["1", tar]]) };
  const pinned = openAndPin(
    { bootstrap, places, lenient: false, id: "", records: NO_FILE_RECORDS, prefetch: undefined },
    held,
    log,
  );
  const pool = new WorkerPool(2);
  const context = {
    first: { names: [], pinned },
    held,
    maxOpen: 256,
    mountpoint,
    name: undefined,
    claim: { release: () => {} },
  };
  const seed = freshSeed(context, {
    mayChange: false,
    mountOptions: [],
    owner: undefined,
    device: undefined,
    log,
  });
  const changed = () => {};
  const session = await runSession(seed, {
    pool,
    push: true,
    lowLatency: true,
    willDropRoot: false,
    changed,
    log,
  });
  await readdir(mountpoint);
  if (withReaders) {
    pool.grow();
    await run("bash", ["-euo", "pipefail", "-c", READ_ALL, "bash", mountpoint]);
    pushed += session.counts()[COUNT.PUSHED_FILES] > 0 ? 1 : 0;
    crowded += pool.workers > 1 ? 1 : 0;
  }
  await session.stop();
  const { how, message } = await session.ended;
  held.release(pinned.image.files);
  seed.place.close();
  // "stopped": another mount namespace, made meanwhile, had the mount, too.
  if (how !== "unmounted" && how !== "stopped") throw new Error(`the session ended: ${how} ${message}`);
}

/** What a leak would make grow. */
interface Held {
  readonly fds: number;
  readonly threads: number;
  readonly rssMb: number;
}

/** Counted when a thread that is about to leave has left, and without garbage (needs `--expose-gc`). */
async function held(): Promise<Held> {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  globalThis.gc?.();
  const status = readFileSync("/proc/self/status", "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
  return {
    fds: readdirSync("/proc/self/fd").length,
    threads: field("Threads"),
    rssMb: Math.round(field("VmRSS") / 1024),
  };
}

for (let i = 0; i < WARM_UP; i++) await cycle(isRead(i));
const before = await held();
const half = Math.floor(Number(cycles) / 2);
for (let i = 0; i < half; i++) await cycle(isRead(i));
const middle = await held();
for (let i = half; i < Number(cycles); i++) await cycle(isRead(i));
process.stdout.write(`${JSON.stringify({ before, middle, after: await held(), pushed, crowded })}\n`);
rmdirSync(mountpoint);
