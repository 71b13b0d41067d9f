import {
  COUNT,
  type OpcodeTotals,
  opcodeTotals,
  readSizes,
  SIZE_BOUNDS,
  total,
} from "../metrics/counters.ts";
import { addCounter, addGauge, addHistogram, type Registry } from "./metric.ts";
import type { Monitored } from "./monitored.ts";

const labels = ["image_ref"];

/** What was read; names that nydus-snapshotter has are its own, gauges and with its label. */
export function addReadMetrics(registry: Registry, { counters, operation, image }: Monitored): void {
  const reads = (value: (totals: OpcodeTotals) => number): number => {
    const totals = opcodeTotals(counters).find(({ opcode }) => operation(opcode) === "read");
    return totals === undefined ? 0 : value(totals);
  };
  const ofImage = (value: number): [number, { image_ref: string }][] => [[value, { image_ref: image }]];

  const bytes = { name: "nydusd_total_read_bytes", help: "Bytes of answers to READ.", labels };
  addGauge(registry, bytes, () => ofImage(total(counters, COUNT.READ_BYTES)));
  const hits = { name: "nydusd_read_hits", help: "READ requests answered with data.", labels };
  addGauge(registry, hits, () => ofImage(reads(({ latencies, errors }) => sum(latencies) - errors)));
  const errors = { name: "nydusd_read_errors", help: "READ requests answered with an error.", labels };
  addGauge(registry, errors, () => ofImage(reads((totals) => totals.errors)));

  const misses = {
    name: "tarfs_page_cache_misses_total",
    help: "Reads that the kernel's page cache could not answer: every READ is one.",
  };
  addCounter(registry, misses, () => reads((totals) => totals.requests));
  const sizes = {
    name: "tarfs_read_size_bytes",
    help: "Bytes of each answer to READ; its sum is what was read.",
  };
  addHistogram(registry, sizes, SIZE_BOUNDS, () => [
    { labels: {}, counts: upTo(readSizes(counters)), sum: total(counters, COUNT.READ_BYTES) },
  ]);
}

/** @param sizes below a bound and at it, by turns, see metrics/counters; @returns the two together */
const upTo = (sizes: readonly number[]): number[] =>
  Array.from({ length: SIZE_BOUNDS.length + 1 }, (_, i) => sizes[2 * i] + (sizes[2 * i + 1] ?? 0));

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
