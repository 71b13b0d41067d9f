import { readdirSync } from "node:fs";
import { addGauge, addHistogram, type Registry } from "../prometheus/metric.ts";
import type { Shown } from "./shown.ts";

/**
 * What nydus-snapshotter's dashboards ask for, as far as it means the same here. Its units are none of Prometheus': promtool would
 * object, and so they are on a page of their own, which is at the path that it has there.
 */
export function addNydusMetrics(registry: Registry, { store, tally: { operations } }: Shown): void {
  const elapsed = {
    name: "snapshotter_snapshot_operation_elapsed_milliseconds",
    help: "Time that operations took.",
    labels: ["snapshot_operation"],
  };
  addHistogram(registry, elapsed, operations.bounds, operations.all);
  const gauge = (name: string, help: string, read: () => number) =>
    addGauge(registry, { name: `snapshotter_${name}`, help }, read);
  gauge("cache_usage_kilobytes", "Size of the store.", () => {
    const { tars, bootstraps, merged } = store.usage();
    return (tars + bootstraps + merged) / 1024;
  });
  gauge("memory_usage_kilobytes", "Resident memory.", () => process.memoryUsage.rss() / 1024);
  gauge("fd_counts", "Open file descriptors.", () => readdirSync("/proc/self/fd").length - 1);
  gauge("thread_counts", "Threads.", () => readdirSync("/proc/self/task").length);
  gauge("run_time_seconds", "Time since the start.", () => performance.now() / 1000);
}
