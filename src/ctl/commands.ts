import { setTimeout as sleep } from "node:timers/promises";
import type {
  AccessPattern,
  BackendMetrics,
  CacheMetrics,
  DaemonInfo,
  Events,
  FilesStats,
  FsStats,
  InflightRequest,
  ReadRanges,
} from "../api/shapes.ts";
import type { Client } from "./client.ts";
import {
  eventsText,
  filesText,
  inflightText,
  latestText,
  patternText,
  ratesHead,
  ratesText,
} from "./tables.ts";
import { backendRateText, backendText, cacheText, fsStatsText, infoText } from "./text.ts";

type Print = (text: string) => void;

/** What can be asked for and shown: where it is, and as which text. */
interface Query {
  readonly path: string;
  readonly text: (answer: never) => string;
}

export const INFO: Query = { path: "v1/daemon", text: (answer: DaemonInfo) => infoText(answer) };

export const METRICS = {
  backend: {
    about: "reads of the tars",
    path: "v1/metrics/backend",
    text: (answer: BackendMetrics) => backendText(answer),
  },
  cache: {
    about: "the tars of an image, and what was read ahead",
    path: "v1/metrics/blobcache",
    text: (answer: CacheMetrics) => cacheText(answer),
  },
  fsstats: {
    about: "requests of the kernel by operation, and how long reads take",
    path: "v1/metrics",
    text: (answer: FsStats) => fsStatsText(answer),
  },
} satisfies Record<string, Query & { readonly about: string }>;

export const FILES: Query = {
  path: "v1/metrics/files",
  text: (answer: FilesStats) => filesText(answer ?? {}),
};
/** Each answer is what was read since the one before, which another client may have had. */
export const LATEST: Query = {
  path: "v1/metrics/files?latest=true",
  text: (answer: ReadRanges) => latestText(answer ?? []),
};

/** What nydusctl does not have. */
export const LISTS: Readonly<Record<string, Query & { readonly about: string; readonly ofDaemon?: true }>> = {
  events: {
    ...{ path: "v1/daemon/events", ofDaemon: true, about: "what went wrong lately" },
    text: (answer: Events) => eventsText(answer),
  },
  pattern: {
    path: "v1/metrics/pattern",
    about: "which files were read, the first one first, where that is recorded (the daemon's --file-stats)",
    text: (answer: readonly AccessPattern[]) => patternText(answer ?? []),
  },
  inflight: {
    ...{ path: "v1/metrics/inflight", ofDaemon: true, about: "requests that are being answered" },
    text: (answer: readonly InflightRequest[]) => inflightText(answer ?? []),
  },
};

/** How an answer is shown. */
export interface ShowOptions {
  /** As JSON: `line` as it comes, `text` laid out; undefined: for people. */
  readonly json?: "line" | "text" | undefined;
  /** Mountpoint of the image that is asked about, where there are several. */
  readonly id?: string | undefined;
}

const withId = (path: string, id: string | undefined): string =>
  id === undefined ? path : `${path}${path.includes("?") ? "&" : "?"}id=${encodeURIComponent(id)}`;

/** @returns as it is printed; what is not there is an empty list */
export async function query(
  client: Client,
  { path, text }: Query,
  { json, id }: ShowOptions,
): Promise<string> {
  const answer = await client.get(withId(path, id));
  if (json !== undefined) return `${JSON.stringify(answer ?? [], null, json === "line" ? 0 : 2)}\n`;
  return text(answer as never);
}

/** Looks again and again. @param times how often at most */
export async function repeat(
  client: Client,
  what: Query,
  { seconds, times = Number.POSITIVE_INFINITY, ...how }: WatchOptions,
  print: Print,
): Promise<void> {
  for (let i = 0; i < times; i++) {
    if (i > 0) await sleep(1000 * seconds);
    print(await query(client, what, how));
  }
}

/** Lines between two heads of a table that goes on. */
const SCREEN = 20;

/** What happened in each interval, a line each. */
export async function watchRates(
  client: Client,
  { seconds, times = Number.POSITIVE_INFINITY, id }: WatchOptions,
  print: Print,
): Promise<void> {
  const now = async () => (await client.get(withId(METRICS.fsstats.path, id))) as FsStats;
  let last = await now();
  for (let i = 0; i < times; i++) {
    if (i % SCREEN === 0) print(ratesHead());
    await sleep(1000 * seconds);
    const current = await now();
    print(ratesText(last, current, seconds, new Date()));
    last = current;
  }
}

interface WatchOptions extends ShowOptions {
  readonly seconds: number;
  readonly times?: number | undefined;
}

/** What the backend did in each interval. */
export async function watchBackend(
  client: Client,
  { seconds, id }: { readonly seconds: number; readonly id?: string | undefined },
  print: Print,
): Promise<void> {
  const now = async () => (await client.get(withId(METRICS.backend.path, id))) as BackendMetrics;
  for (let last = await now(); ; ) {
    await sleep(1000 * seconds);
    const current = await now();
    print(backendRateText(last, current, seconds));
    last = current;
  }
}
