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
import { Exporter } from "../../src/prometheus/exporter.ts";
import { MetricsServer } from "../../src/prometheus/metrics-server.ts";
import type { ExportedMount, State } from "../../src/prometheus/exported-mount.ts";
import { OP } from "../../src/vfs/opcodes.ts";

export const { LOOKUP, READ } = OP;

/** A mount that a test made up. */
export interface FakeMount extends ExportedMount {
  /** Of its two workers. */
  readonly slots: readonly Counters[];
  /** What they are answering. */
  readonly inflightRows: readonly InflightRow[];
  /** See counters/prefetch-progress. */
  readonly progress: SharedArrayBuffer;
  at: State;
  /** How often a path was asked for. */
  walks: number;
}

export function fakeMount(): FakeMount {
  const counters = newCounters(2);
  const table = newInflight(2);
  const progress = newProgress();
  const mount: FakeMount = {
    version: "1.2.3",
    commit: "abc",
    counts: () => sumOf([counters]),
    images: () => [
      { source: '/im"ag\\e.boot', mountpoint: "/mnt", inodes: 7, blobs: 3, counts: () => sumOf([counters]) },
    ],
    inflight: () => inflight(table),
    blobDescriptors: () => 4,
    takeovers: { all: 3, crashes: 2 },
    maxFds: () => 1024,
    onShown: () => {},
    lostBlobs: () => 1,
    prefetch: () => progressOf(progress),
    progress,
    slots: [countersOf(counters, 0), countersOf(counters, 1)],
    inflightRows: [inflightRow(table, 0), inflightRow(table, 1)],
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
export function work({ slots: [a, b], progress }: FakeMount): void {
  answerRead(a, 4096, 150);
  answerRead(b, 4097, 30);
  answerRead(b, 0, 3_000_000);
  answerRead(a, -5, 20);
  a[LOOKUP]++;
  countAnswer(a, LOOKUP, -2, 100);
  a[COUNT.PUSHED_FILES] += 5;
  a[COUNT.PUSHED_BYTES] += 500;
  new Float64Array(progress).set([4096, 3, 2, 1500, Date.now()]);
}

const open: MetricsServer[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

/** A server on a port of its own, closed when the test ends. */
export async function startServer(warn: (message: string) => void = () => {}, mount?: ExportedMount) {
  const server = await MetricsServer.start({ host: "127.0.0.1", port: 0 }, warn);
  open.push(server);
  if (mount !== undefined) server.export(new Exporter(mount, 10, warn));
  return { server, url: `http://${server.address}` };
}
