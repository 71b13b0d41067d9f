import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Crew } from "../../src/daemon/crew.ts";
import { serveDirect } from "../../src/daemon/direct.ts";
import { openLog } from "../../src/daemon/log.ts";
import { openImage } from "../../src/fs/open-image.ts";

/**
 * Mounts and unmounts an image again and again in one process, and prints what the process holds before and
 * after: `node --expose-gc cycles.js CYCLES BOOTSTRAP TAR`. The first cycles are not counted: they fill pools and caches.
 */
const WARM_UP = 20;
const [cycles, bootstrap, tar] = process.argv.slice(2);
const mountpoint = mkdtempSync(join(tmpdir(), "nydusd-ts-cycles-"));
const log = openLog("warn");

async function cycle(): Promise<void> {
  const image = openImage(bootstrap, { dirs: [], files: new Map([["1", tar]]) }, false);
  const crew = new Crew(2);
  const request = {
    ...{ image, mountpoint, source: bootstrap, options: [], threads: 2 },
    ...{ push: true, lowLatency: true, log },
  };
  const session = await serveDirect(request, crew);
  await readdir(mountpoint);
  await session.stop();
  const { how, message } = await session.ended;
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

for (let i = 0; i < WARM_UP; i++) await cycle();
const before = await held();
for (let i = 0; i < Number(cycles); i++) await cycle();
process.stdout.write(`${JSON.stringify({ before, after: await held() })}\n`);
rmdirSync(mountpoint);
