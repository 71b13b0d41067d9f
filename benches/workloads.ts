import { join } from "node:path";
import type { Bench } from "./bench.ts";
import { requests } from "./report.ts";

/** One line of the table. */
export interface Row {
  readonly key: string;
  readonly title: string;
  readonly unit: "s" | "MB/s" | "ops/s" | "MiB" | "";
}

/** Figures by row key; a row that has none here (no daemon, nothing counted) is left out. */
export type Figures = Record<string, number>;

export interface Workload {
  readonly rows: readonly Row[];
  readonly run: (b: Bench) => Promise<Figures>;
}

const row = (key: string, title: string, unit: Row["unit"]): Row => ({ key, title, unit });

async function start(b: Bench): Promise<Figures> {
  await b.warm();
  return b.mounted("start", async (m) => ({ start: m.startSeconds }));
}

async function walkCold(b: Bench): Promise<Figures> {
  await b.dropCaches();
  return b.mounted("walk-cold", async (m) => ({
    "start-cold": m.startSeconds,
    "walk-cold": await b.load.walk(m.path, b.reference),
  }));
}

/** A mount that walks once and one that walks twice: the difference is what the warm walk asked for. */
async function walk(b: Bench): Promise<Figures> {
  await b.warm();
  const once = await b.mounted("walk", (m) => b.load.walk(m.path, b.reference));
  const again = await b.mounted("walk-again", async (m) => {
    await b.load.walk(m.path, b.reference);
    return b.load.walk(m.path, b.reference);
  });
  const figures: Figures = { walk: once, "walk-again": again };
  const { walk: first, "walk-again": both } = b.counts;
  if (first && both) figures["walk-again-requests"] = requests(both) - requests(first);
  return figures;
}

const readAll = (b: Bench, label: string, readers: number): Promise<number> =>
  b.mounted(label, (m) => b.load.readAll(m.path, b.reference, readers));

async function readall(b: Bench): Promise<Figures> {
  await b.warm();
  return {
    "readall-1": await readAll(b, "readall-1", 1),
    "readall-4": await readAll(b, "readall-4", 4),
  };
}

async function readallCold(b: Bench): Promise<Figures> {
  await b.dropCaches();
  const one = await readAll(b, "readall-cold-1", 1);
  await b.dropCaches();
  return { "readall-cold-1": one, "readall-cold-4": await readAll(b, "readall-cold-4", 4) };
}

async function readallWalked(b: Bench): Promise<Figures> {
  await b.warm();
  const figures: Figures = {};
  for (const readers of [1, 4])
    await b.mounted(`readall-walked-${readers}`, async (m) => {
      await b.load.walk(m.path, b.reference);
      figures[`readall-walked-${readers}`] = await b.load.readAll(m.path, b.reference, readers);
      if (readers > 1 || !b.system.isDaemon) return;
      const { resident, anonymous } = m.memory();
      Object.assign(figures, { cpu: m.cpu(), rss: resident, "rss-anonymous": anonymous });
    });
  return figures;
}

async function storm(b: Bench): Promise<Figures> {
  await b.warm();
  return b.mounted("storm", async (m) => ({ storm: await b.load.storm(m.path, b.reference, 4, b.seconds) }));
}

const random = (b: Bench, how: "direct" | "buffered", jobs: number): Promise<number> =>
  b.mounted(`${how}-${jobs}`, (m) => b.load.random(join(m.path, b.reference.largest), how, jobs, b.seconds));

async function direct(b: Bench): Promise<Figures> {
  await b.warm();
  return { "direct-1": await random(b, "direct", 1), "direct-4": await random(b, "direct", 4) };
}

async function buffered(b: Bench): Promise<Figures> {
  await b.warm();
  return { buffered: await random(b, "buffered", 1) };
}

async function sequential(b: Bench): Promise<Figures> {
  await b.warm();
  const file = b.reference.largest;
  return b.mounted("seq", async (m) => ({ seq: await b.load.sequential(join(m.path, file)) }));
}

async function app(b: Bench): Promise<Figures> {
  await b.dropCaches();
  return b.mounted("app", async (m) => ({ app: await b.load.app(m.path, b.app) }));
}

/** By the name that --workloads takes, in the order of the table. */
export const WORKLOADS: ReadonlyMap<string, Workload> = new Map<string, Workload>([
  ["start", { run: start, rows: [row("start", "mount + first stat", "s")] }],
  ["walk-cold", { run: walkCold, rows: [row("walk-cold", "walk, cold", "s")] }],
  [
    "walk",
    {
      run: walk,
      rows: [
        row("walk", "walk, new mount, tar cached", "s"),
        row("walk-again", "walk again, warm", "s"),
        row("walk-again-requests", "– requests during it", ""),
      ],
    },
  ],
  [
    "readall",
    {
      run: readall,
      rows: [
        row("readall-1", "read all, new mount, tar cached, 1 reader", "MB/s"),
        row("readall-4", "– 4 readers", "MB/s"),
      ],
    },
  ],
  [
    "readall-walked",
    {
      run: readallWalked,
      rows: [
        row("readall-walked-1", "read all after a walk, tar cached, 1 reader", "MB/s"),
        row("readall-walked-4", "– 4 readers", "MB/s"),
        row("cpu", "daemon CPU, walk + read all, 1 reader", "s"),
        row("rss", "daemon RSS after reading everything", "MiB"),
      ],
    },
  ],
  [
    "readall-cold",
    {
      run: readallCold,
      rows: [
        row("readall-cold-1", "read all, cold, 1 reader", "MB/s"),
        row("readall-cold-4", "– 4 readers", "MB/s"),
      ],
    },
  ],
  ["storm", { run: storm, rows: [row("storm", "lookup storm, 4 processes", "ops/s")] }],
  [
    "direct",
    {
      run: direct,
      rows: [row("direct-1", "4 KiB O_DIRECT random, 1 job", "ops/s"), row("direct-4", "– 4 jobs", "ops/s")],
    },
  ],
  ["buffered", { run: buffered, rows: [row("buffered", "4 KiB buffered random, tar cached", "ops/s")] }],
  ["seq", { run: sequential, rows: [row("seq", "1 MiB sequential, tar cached", "MB/s")] }],
  ["app", { run: app, rows: [row("app", "program start, cold", "s")] }],
]);
