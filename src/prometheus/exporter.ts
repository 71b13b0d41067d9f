import type { ExportedMount, State } from "./exported-mount.ts";
import type { Answer } from "./http.ts";
import { HungRequests } from "./hung.ts";
import type { Registry as AnyRegistry } from "./metric.ts";
import type { MetricsSource } from "./metrics-server.ts";
import { addMountMetrics } from "./mount-metrics.ts";
import { addOperationMetrics } from "./operation-metrics.ts";
import { addPrefetchMetrics } from "./prefetch-metrics.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { addReadMetrics } from "./read-metrics.ts";
import { Snapshot } from "./snapshot.ts";
import { TextFormats } from "./text-formats.ts";

/** The metrics of one mount, in both text formats. */
export class Exporter implements MetricsSource {
  private readonly snapshot: Snapshot;
  private readonly hung: HungRequests;
  private readonly formats: TextFormats;

  /** @param hungAfter seconds */
  constructor(mount: ExportedMount, hungAfter: number, warn: (message: string) => void) {
    this.snapshot = new Snapshot(mount);
    this.hung = new HungRequests(mount, hungAfter, warn);
    this.formats = new TextFormats((registry) => addMetrics(registry, this.snapshot, this.hung));
  }

  state(): State {
    return this.snapshot.mount.state();
  }

  metrics(accept: string): Promise<Answer> {
    this.snapshot.take();
    this.snapshot.mount.onShown();
    return this.formats.answer(accept);
  }

  close(): void {
    this.hung.close();
  }
}

function addMetrics(registry: AnyRegistry, snapshot: Snapshot, hung: HungRequests): void {
  addOperationMetrics(registry, snapshot);
  addReadMetrics(registry, snapshot);
  addPrefetchMetrics(registry, snapshot);
  hung.addMetrics(registry);
  addMountMetrics(registry, snapshot);
  addProcessMetrics(registry, snapshot.mount.maxFds);
}
