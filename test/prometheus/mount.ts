import { afterEach } from "vitest";
import {
  COUNT,
  type Counters,
  countAnswer,
  countersOf,
  countRead,
  newCounters,
  sumOf,
} from "../../src/counters/counters.ts";
import {
  inflight,
  INFLIGHT,
  type InflightRow,
  newInflight,
  inflightRow,
} from "../../src/counters/inflight.ts";
import { newProgress, progressOf } from "../../src/counters/prefetch-progress.ts";
import { Monitor } from "../../src/prometheus/monitor.ts";
import type { Monitored, State } from "../../src/prometheus/monitored.ts";
import { OP } from "../../src/vfs/opcodes.ts";

export const { LOOKUP, READ } = OP;

/** A mount that a test made up. */
export interface FakeMount extends Monitored {
  /** Of its two workers. */
  readonly slots: readonly Counters[];
  /** What they are answering. */
  readonly doing: readonly InflightRow[];
  /** See metrics/prefetch-progress. */
  readonly warmed: SharedArrayBuffer;
  at: State;
  /** How often a path was asked for. */
  walks: number;
}

export function fakeMount(): FakeMount {
  const counters = newCounters(2);
  const doing = newInflight(2);
  const warmed = newProgress();
  const mount: FakeMount = {
    version: "1.2.3",
    commit: "abc",
    counts: () => sumOf([counters]),
    images: () => [
      { source: '/im"ag\\e.boot', mountpoint: "/mnt", inodes: 7, blobs: 3, counts: () => sumOf([counters]) },
    ],
    inflight: () => inflight(doing),
    blobDescriptors: () => 4,
    takeovers: { all: 3, crashes: 2 },
    maxFds: () => 1024,
    onShown: () => {},
    lostBlobs: () => 1,
    prefetch: () => progressOf(warmed),
    warmed,
    slots: [countersOf(counters, 0), countersOf(counters, 1)],
    doing: [inflightRow(doing, 0), inflightRow(doing, 1)],
    at: "serving",
    walks: 0,
    workers: () => 2,
    state: () => mount.at,
    pathsOf: (nodes) => {
      mount.walks++;
      return new Map([...nodes].filter((node) => node < 100).map((node) => [node, `/file${node}`]));
    },
  };
  return mount;
}

/** As a worker counts a READ. */
export function answerRead(slot: Counters, bytes: number, us: number): void {
  slot[READ]++;
  if (bytes >= 0) countRead(slot, bytes);
  countAnswer(slot, READ, bytes, us);
}

/** As a worker notes what it begins. */
export function begin(slot: InflightRow, opcode: number, node: number, unique: number, since: number): void {
  slot[INFLIGHT.UNIQUE] = unique;
  slot[INFLIGHT.NODE] = node;
  slot[INFLIGHT.SINCE] = since;
  slot[INFLIGHT.OPCODE] = opcode;
}

/** Some of everything. */
export function work({ slots: [a, b], warmed }: FakeMount): void {
  answerRead(a, 4096, 150);
  answerRead(b, 4097, 30);
  answerRead(b, 0, 3_000_000);
  answerRead(a, -5, 20);
  a[LOOKUP]++;
  countAnswer(a, LOOKUP, -2, 100);
  a[COUNT.PUSHED_FILES] += 5;
  a[COUNT.PUSHED_BYTES] += 500;
  new Float64Array(warmed).set([4096, 3, 2, 1500, Date.now()]);
}

const open: Monitor[] = [];
afterEach(() => {
  for (const monitor of open.splice(0)) monitor.close();
});

/** A monitor on a port of its own, closed when the test ends. */
export async function startMonitor(warn: (message: string) => void = () => {}, mount?: Monitored) {
  const monitor = await Monitor.start({ host: "127.0.0.1", port: 0 }, 10, warn);
  open.push(monitor);
  if (mount !== undefined) monitor.watch(mount);
  return { monitor, url: `http://${monitor.address}` };
}
