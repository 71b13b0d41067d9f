import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Crew } from "../../src/daemon/crew.ts";
import { serveDirect } from "../../src/daemon/direct.ts";
import { openLog } from "../../src/daemon/log.ts";
import { openImage } from "../../src/fs/open-image.ts";

/**
 * Mounts and unmounts an image again and again in one process, and prints what the process holds before and
 * after: `node --expose-gc cycles.js CYCLES BOOTSTRAP TAR`. The first cycles fill pools and caches, and do not
 * count.
 */
const WARM_UP = 50;
/** Workers come and go too fast for the collector to see what they cost; without this RSS would swing by 40 MB. */
const COLLECT_EVERY = 10;
const [cycles, bootstrap, tar] = process.argv.slice(2);
const mountpoint = mkdtempSync(join(tmpdir(), "nydusd-ts-cycles-"));
const log = openLog("warn");

async function cycle(i: number): Promise<void> {
  if (i % COLLECT_EVERY === 0) globalThis.gc?.();
  const image = openImage(bootstrap, { dirs: [], files: new Map([["1", tar]]) }, false);
  const crew = new Crew(2);
  const request = {
    ...{ image, mountpoint, source: bootstrap, options: [], threads: 2 },
    ...{ push: true, lowLatency: true, log },
  };
  const session = await serveDirect(request, crew);
  const names = await readdir(mountpoint);
  // Now and then enough for a second worker and a pusher.
  if (i % 20 === 5) await readAll(names);
  await session.stop();
  const { how, message } = await session.ended;
  // "stopped": another mount namespace, made meanwhile, had the mount, too.
  if (how !== "unmounted" && how !== "stopped") throw new Error(`the session ended: ${how} ${message}`);
}

/** Reads the small files of every directory at the root, four at a time. */
async function readAll(roots: readonly string[]): Promise<void> {
  for (const root of roots) {
    const dir = join(mountpoint, root);
    const names = await readdir(dir).catch(() => []);
    for (let at = 0; at < names.length; at += 4)
      await Promise.all(names.slice(at, at + 4).map((name) => readFile(join(dir, name)).catch(() => {})));
  }
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

for (let i = 0; i < WARM_UP; i++) await cycle(i);
const before = await held();
for (let i = 0; i < Number(cycles); i++) await cycle(i);
process.stdout.write(`${JSON.stringify({ before, after: await held() })}\n`);
rmdirSync(mountpoint);
