import type { PrefetchProgress } from "../counters/prefetch-progress.ts";
import { addCounter, addGauge, type Registry } from "./metric.ts";
import type { Snapshot } from "./snapshot.ts";

/** What was read before programs asked for it, see --prefetch-files. */
export function addPrefetchMetrics(registry: Registry, { mount }: Snapshot): void {
  const counter = (name: string, help: string, read: (progress: PrefetchProgress) => number) =>
    addCounter(registry, { name, help }, () => read(mount.prefetch()));

  counter("tarfs_prefetch_bytes_total", "Bytes of the tars that were prefetched.", ({ bytes }) => bytes);
  counter("tarfs_prefetch_files_total", "Files that were prefetched.", ({ files }) => files);
  counter("tarfs_prefetch_reads_total", "Reads that did it.", ({ requests }) => requests);
  counter("tarfs_prefetch_seconds_total", "Time spent in them.", ({ busyMs }) => busyMs / 1000);
  const running = { name: "tarfs_prefetch_running", help: "1 while the tars are being prefetched." };
  addGauge(registry, running, () => (mount.prefetch().isRunning ? 1 : 0));
}
