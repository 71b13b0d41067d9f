import { basename, dirname } from "node:path";
import { type BackendMetrics, type CacheMetrics, FOPS, type FsStats, READ_LATENCIES } from "../api/shapes.ts";
import { OP, opName } from "../vfs/opcodes.ts";
import {
  COUNT,
  type Counters,
  LATENCY_BOUNDS,
  type OpcodeTotals,
  opcodeTotals,
  readSizes,
  SIZE_BOUNDS,
} from "../counters/counters.ts";
import type { PrefetchProgress } from "../counters/prefetch-progress.ts";

import type { FileRecords } from "../session/file-records.ts";

/** nydusd's classes of sizes and times. */
const CLASSES = 8;
const zeros = (): number[] => new Array<number>(CLASSES).fill(0);

/** @returns what nydusd's `/metrics` has, from our counters; what is not counted is 0, as there */
export function fsStats(id: string, counters: Counters, records: FileRecords): FsStats {
  const seen = new Map(opcodeTotals(counters).map((totals) => [opName(totals.opcode), totals]));
  const each = (value: (totals: OpcodeTotals) => number) =>
    FOPS.map((name) => {
      const totals = seen.get(name);
      return totals === undefined ? 0 : value(totals);
    });
  return {
    files_account_enabled: records.counts,
    access_pattern_enabled: records.pattern,
    record_latest_read_files_enabled: records.latest,
    measure_latency: true,
    id,
    nr_opens: 0, // the kernel opens files without us
    data_read: counters[COUNT.READ_BYTES],
    block_count_read: sizeClasses(counters),
    fop_hits: each(({ requests, errors }) => requests - errors),
    fop_errors: each(({ errors }) => errors),
    fop_cumulative_latency_total: each(({ latencySum }) => Math.round(latencySum)),
    read_latency_dist: latencyClasses(seen.get("read")?.latencies ?? []),
  };
}

/**
 * What nydusd's `/metrics/backend` has. There is no cache between a READ and the tar, so that reads of the file
 * system are the backend's. Sizes and times together are not counted.
 */
export function backendMetrics(counters: Counters): BackendMetrics {
  const read = opcodeTotals(counters).find(({ opcode }) => opcode === OP.READ);
  return {
    backend_type: "localfs",
    read_count: (read?.requests ?? 0) - (read?.errors ?? 0),
    read_errors: read?.errors ?? 0,
    read_amount_total: counters[COUNT.READ_BYTES],
    read_cumulative_latency_millis_total: Math.round((read?.latencySum ?? 0) / 1000),
    read_cumulative_latency_millis_dist: zeros(),
    read_count_block_size_dist: sizeClasses(counters),
    read_latency_sizes_dist: Array.from({ length: CLASSES }, zeros),
  };
}

/** What nydusd's `/metrics/blobcache` has: a tar is its own cache, complete from the start. */
export function cacheMetrics(files: readonly string[], prefetch: PrefetchProgress): CacheMetrics {
  return {
    underlying_files: files.map((path) => basename(path)),
    store_path: files.length === 0 ? "" : dirname(files[0]),
    partial_hits: 0,
    whole_hits: 0,
    total: 0,
    entries_count: 0,
    prefetch_data_amount: prefetch.bytes,
    prefetch_requests_count: prefetch.requests,
    prefetch_workers: prefetch.isRunning ? 1 : 0,
    prefetch_unmerged_chunks: 0,
    prefetch_cumulative_time_millis: Math.round(prefetch.busyMs),
    prefetch_begin_time_secs: Math.floor(prefetch.begin / 1000),
    prefetch_begin_time_millis: Math.floor(prefetch.begin % 1000),
    prefetch_end_time_secs: Math.floor(prefetch.end / 1000),
    prefetch_end_time_millis: Math.floor(prefetch.end % 1000),
    buffered_backend_size: 0,
    data_all_ready: true,
  };
}

/** From a bound on: its own bucket, and the one up to the next bound. */
const sizeClasses = (counters: Counters): number[] => {
  const sizes = readSizes(counters);
  return Array.from(
    { length: SIZE_BOUNDS.length + 1 },
    (_, i) => (i === 0 ? 0 : sizes[2 * i - 1]) + sizes[2 * i],
  );
};

/** Up to a bound, which is one of ours. */
function latencyClasses(ours: readonly number[]): number[] {
  const classes = zeros();
  ours.forEach((count, bucket) => {
    const bound = LATENCY_BOUNDS[bucket] ?? Number.POSITIVE_INFINITY;
    const at = READ_LATENCIES.findIndex((theirs) => bound <= theirs);
    classes[at < 0 ? CLASSES - 1 : at] += count;
  });
  return classes;
}
