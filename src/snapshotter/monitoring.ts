import { readMounts } from "../mounts/table.ts";
import { openFileLimit } from "../proc/file-limit.ts";
import type { Address } from "../prometheus/http.ts";
import { addCounter, addGauge, addHistogram, type Registry } from "../prometheus/metric.ts";
import { MetricsServer } from "../prometheus/metrics-server.ts";
import { addProcessMetrics } from "../prometheus/process-metrics.ts";
import { TextFormats } from "../prometheus/text-formats.ts";
import { addNydusMetrics } from "./nydus-metrics.ts";
import type { Shown } from "./shown.ts";

/**
 * Tells Prometheus of a snapshotter: `/metrics`, and, with the names of nydus-snapshotter, its `/v1/metrics`.
 *
 * @throws OperationalError when the address cannot be listened on
 */
export async function openMonitoring(
  address: Address,
  shown: Shown,
  warn: (message: string) => void,
): Promise<MetricsServer> {
  const server = await MetricsServer.start(address, warn);
  const ours = new TextFormats((registry) => addMetrics(registry, shown));
  const nydus = new TextFormats((registry) => addNydusMetrics(registry, shown));
  server.export({
    state: () => "serving",
    metrics: (accept) => ours.answer(accept),
    pages: new Map([["/v1/metrics", (accept) => nydus.answer(accept)]]),
    close: () => {},
  });
  return server;
}

const metric = (name: string, help: string, ...labels: readonly string[]) => ({
  ...{ name: `tarfs_snapshotter_${name}`, help },
  ...(labels.length > 0 && { labels }),
});

function addMetrics(registry: Registry, shown: Shown): void {
  addWork(registry, shown);
  addContents(registry, shown);
  addProcessMetrics(registry, openFileLimit);
}

function addWork(registry: Registry, { tally, store }: Shown): void {
  const { calls, phases } = tally;
  const help = "Time from the arrival of containerd's call to its answer.";
  addHistogram(registry, metric("call_duration_seconds", help, "method", "code"), calls.bounds, calls.all);
  const phase = "Time that work took which has succeeded: converting layers, merging, mounting, cleaning up.";
  addHistogram(registry, metric("phase_duration_seconds", phase, "phase"), phases.bounds, phases.all);
  const counted = (counts: ReadonlyMap<string, number>, label: string) => () =>
    [...counts].map(([name, count]) => [count, { [label]: name }] as const);
  const layers = metric(
    "layers_total",
    "Layers that were laid into snapshots, by what became of them.",
    "result",
  );
  addCounter(registry, layers, counted(tally.layers, "result"));
  const fallbacks = metric(
    "fallbacks_total",
    "Layers that containerd unpacked itself, by the reason.",
    "reason",
  );
  addCounter(registry, fallbacks, counted(tally.fallbacks, "reason"));
  const blobs = metric("blob_bytes_total", "Bytes of blobs that became layers.");
  addCounter(registry, blobs, () => tally.blobBytes);
  const tars = metric("tar_bytes_total", "Bytes of the tars that they became.");
  addCounter(registry, tars, () => tally.tarBytes);
  const freed = metric("freed_bytes_total", "Bytes of layers and bootstraps that clean-ups have removed.");
  addCounter(registry, freed, () => tally.freedBytes);
  const now = metric("conversions_running", "Blobs that are becoming layers now.");
  addGauge(registry, now, () => store.converting().length);
}

function addContents(registry: Registry, { root, store, records }: Shown): void {
  const layers = metric("stored_layers", "Layers in the store.");
  addGauge(registry, layers, () => [...store.all()].length);
  const merged = metric("merged_images", "Bootstraps of images in the store.");
  addGauge(registry, merged, () => [...store.allMerged()].length);
  const bytes = metric("stored_bytes", "Bytes of files in the store.", "kind");
  addGauge(registry, bytes, () =>
    Object.entries(store.usage()).map(([kind, each]) => [each, { kind }] as const),
  );
  const mounts = metric("mounted_images", "Images that are mounted, by the type of the mount.", "type");
  addGauge(registry, mounts, () =>
    countBy(
      imagesMounted(root).map(({ type }) => type),
      "type",
    ),
  );
  const snapshots = metric("snapshots", "Snapshots, by their kind.", "kind");
  addGauge(registry, snapshots, () =>
    countBy(
      [...records.all()].map(({ kind }) => kind),
      "kind",
    ),
  );
}

const imagesMounted = (root: string) =>
  readMounts().filter(({ mountpoint }) => mountpoint.startsWith(`${root}/mnt/`));

function countBy(values: readonly string[], label: string) {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].map(([value, count]) => [count, { [label]: value }] as const);
}
