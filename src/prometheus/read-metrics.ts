import {
  COUNT,
  type Counters,
  type OpcodeTotals,
  opcodeTotals,
  readSizes,
  SIZE_BOUNDS,
} from "../counters/counters.ts";
import { OP } from "../vfs/opcodes.ts";
import { addCounter, addGauge, addHistogram, type Registry } from "./metric.ts";
import type { Snapshot } from "./snapshot.ts";

const labels = ["image_ref"];

/** What was read; names that nydus-snapshotter has are its own, gauges and with its label. */
export function addReadMetrics(registry: Registry, snapshot: Snapshot): void {
  const reads = (counts: Counters, value: (totals: OpcodeTotals) => number): number => {
    const totals = opcodeTotals(counts).find(({ opcode }) => opcode === OP.READ);
    return totals === undefined ? 0 : value(totals);
  };
  /** An image that is mounted twice is one here. */
  const ofImages = (value: (counts: Counters) => number) => () => {
    const sums = new Map<string, number>();
    for (const { source, counts } of snapshot.images)
      sums.set(source, (sums.get(source) ?? 0) + value(counts()));
    return [...sums].map(([source, sum]): [number, { image_ref: string }] => [sum, { image_ref: source }]);
  };

  const bytes = { name: "nydusd_total_read_bytes", help: "Bytes of answers to READ.", labels };
  addGauge(
    registry,
    bytes,
    ofImages((counts) => counts[COUNT.READ_BYTES] ?? 0),
  );
  const hits = { name: "nydusd_read_hits", help: "READ requests answered with data.", labels };
  addGauge(
    registry,
    hits,
    ofImages((counts) => reads(counts, ({ latencies, errors }) => sum(latencies) - errors)),
  );
  const errors = { name: "nydusd_read_errors", help: "READ requests answered with an error.", labels };
  addGauge(
    registry,
    errors,
    ofImages((counts) => reads(counts, (totals) => totals.errors)),
  );

  const misses = {
    name: "tarfs_page_cache_misses_total",
    help: "Reads that the kernel's page cache could not answer: every READ is one.",
  };
  addCounter(registry, misses, () => reads(snapshot.counts, (totals) => totals.requests));
  const sizes = {
    name: "tarfs_read_size_bytes",
    help: "Bytes of each answer to READ; its sum is what was read.",
  };
  addHistogram(registry, sizes, SIZE_BOUNDS, () => [
    { labels: {}, counts: upTo(readSizes(snapshot.counts)), sum: snapshot.counts[COUNT.READ_BYTES] ?? 0 },
  ]);
}

/** @param sizes below a bound and at it, by turns, see counters/counters; @returns the two together */
const upTo = (sizes: readonly number[]): number[] =>
  Array.from({ length: SIZE_BOUNDS.length + 1 }, (_, i) => (sizes[2 * i] ?? 0) + (sizes[2 * i + 1] ?? 0));

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
