import { setTimeout as sleep } from "node:timers/promises";
import type { BackendMetrics, CacheMetrics, DaemonInfo, FsStats } from "../api/shapes.ts";
import type { Client } from "./client.ts";
import { backendRateText, backendText, cacheText, fsStatsText, infoText } from "./text.ts";

type Print = (text: string) => void;

/** What can be asked for and shown: where it is, and as which text; undefined: as JSON. */
interface Query {
  readonly path: string;
  readonly text?: (answer: never) => string;
}

export const INFO: Query = { path: "v1/daemon", text: (answer: DaemonInfo) => infoText(answer) };

export const METRICS = {
  backend: { path: "v1/metrics/backend", text: (answer: BackendMetrics) => backendText(answer) },
  cache: { path: "v1/metrics/blobcache", text: (answer: CacheMetrics) => cacheText(answer) },
  fsstats: { path: "v1/metrics", text: (answer: FsStats) => fsStatsText(answer) },
} satisfies Record<string, Query>;

export const FILES: Query = { path: "v1/metrics/files" };
/** Each answer is what was read since the one before, which another client may have had. */
export const LATEST: Query = { path: "v1/metrics/files?latest=true" };

/** What nydusctl does not have: shown as the JSON that it is. */
export const LISTS: Readonly<Record<string, Query & { readonly about: string }>> = {
  events: { path: "v1/daemon/events", about: "what went wrong lately" },
  pattern: {
    path: "v1/metrics/pattern",
    about: "which files were read, the first one first, where that is recorded (the daemon's --file-stats)",
  },
  inflight: { path: "v1/metrics/inflight", about: "requests that are being answered" },
};

/** How an answer is shown. */
export interface ShowOptions {
  readonly isRaw: boolean;
  /** Mountpoint of the image that is asked about, where there are several. */
  readonly id?: string | undefined;
}

const withId = (path: string, id: string | undefined): string =>
  id === undefined ? path : `${path}${path.includes("?") ? "&" : "?"}id=${encodeURIComponent(id)}`;

/** @returns as it is printed; what is not there is an empty list */
export async function query(
  client: Client,
  { path, text }: Query,
  { isRaw, id }: ShowOptions,
): Promise<string> {
  const answer = await client.get(withId(path, id));
  if (text === undefined || isRaw) return `${JSON.stringify(answer ?? [], null, isRaw ? 0 : 2)}\n`;
  return text(answer as never);
}

/** Looks again and again. @param times how often at most */
export async function watch(
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
